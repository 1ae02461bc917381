import * as first from '@inmesh/sdk';
import * as second from 'second-copy';

const error = new second.MeshError('MESH_NO_ROUTE', 'no route');
const [one, two] = await Promise.all([first, second].map((sdk) => sdk.meshFetch('http://ratings.example/stars')));
const texts = [await one.text(), await two.text()];
const thrown = await second
  .meshFetch('http://ratings.example/missing', { mesh: { localReply: 'throw' }, signal: AbortSignal.abort() })
  .catch((reason) => reason);
process.stdout.write(
  JSON.stringify({
    areTwo: first.MeshError !== second.MeshError,
    oneMesh: first.defaultMesh() === second.defaultMesh(),
    recognised: error instanceof first.MeshError && first.MeshError.from(error) === error,
    foreign: thrown instanceof first.MeshError,
    texts,
  }),
);
