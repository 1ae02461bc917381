import { create } from '@bufbuild/protobuf';
import { meshFetch } from '@inmesh/sdk';
import { client } from '@inmesh/sdk/grpc';
import { GetRequestSchema } from '../gen/ratings.ts';
import { RatingsClient } from './ratings-service.ts';
import { json, serve } from './service.ts';

const VERSION = process.env.SERVICE_VERSION ?? 'v1';
/** v1 shows no stars, v2 black ones, v3 red ones. */
const STAR_COLORS: Readonly<Record<string, string>> = { v2: 'black', v3: 'red' };

const TEXTS = [
  {
    reviewer: 'Reviewer1',
    text: 'An extremely entertaining play by Shakespeare. The slapstick humour is refreshing!',
  },
  {
    reviewer: 'Reviewer2',
    text: 'Absolutely fun and entertaining. The play lacks thematic depth when compared to other plays by Shakespeare.',
  },
];

type Stars = ReadonlyMap<string, number>;

async function byHttp(id: string): Promise<Stars | undefined> {
  const response = await meshFetch(`http://ratings:9080/ratings/${id}`);
  if (!response.ok) return undefined;
  return new Map(Object.entries(((await response.json()) as { ratings: Record<string, number> }).ratings));
}

const ratingsClient = client(RatingsClient, 'ratings-grpc:9080'); // mesh: the client is grpc-js's, its channel the mesh's

const byGrpc = (id: string): Promise<Stars | undefined> =>
  new Promise((resolve) => {
    ratingsClient.get(create(GetRequestSchema, { product: Number(id) }), (error, answer) => {
      if (error !== null || answer === undefined) resolve(undefined);
      else resolve(new Map(answer.ratings.map(({ reviewer, stars }) => [reviewer, stars])));
    });
  });

/** v3 asks by gRPC. */
const ratingsOf = VERSION === 'v3' ? byGrpc : byHttp;

await serve('reviews', async (_request, url) => {
  const id = /^\/reviews\/(\d+)$/.exec(url.pathname)?.[1];
  if (id === undefined) return json({ error: 'please provide a numeric product id' }, 400);
  const color = STAR_COLORS[VERSION];
  const ratings = color === undefined ? undefined : await ratingsOf(id);
  const reviews = TEXTS.map((entry) => {
    if (color === undefined) return entry;
    const stars = ratings?.get(entry.reviewer);
    return {
      ...entry,
      rating: stars === undefined ? { error: 'Ratings service is currently unavailable' } : { stars, color },
    };
  });
  return json({ id: Number(id), version: VERSION, reviews });
});
