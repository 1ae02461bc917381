import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { createRegistry } from '../registry/registry.ts';
import type { AnyObject, ChangeEvent } from '../schema/types.ts';
import {
  arbitraryManifest,
  arbitraryMesh,
  manifestKey,
  RESOURCES,
  toYaml,
  VIEWS,
} from '../translate/fixtures/arbitrary-mesh.ts';
import { certificatePem } from '../translate/fixtures/mutual-tls.ts';
import { objectsOf } from '../translate/fixtures/world-from-yaml.ts';
import type { TrustBundle } from '../translate/tls/mesh-roots.ts';
import { createSnapshots, type Snapshots } from './snapshots.ts';

const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex').slice(0, 16);

const everything = (snapshots: Snapshots): readonly string[] =>
  VIEWS.flatMap((view) =>
    RESOURCES.map(([typeUrl, name]) => {
      const version = snapshots.current().resource(view, typeUrl, name)?.version ?? 'none';
      return `${view.namespace} ${typeUrl} ${name} ${version}`;
    }),
  );

const arbitraryChange = fc.oneof(
  { weight: 3, arbitrary: arbitraryManifest.map((manifest) => ({ put: manifest })) },
  { weight: 1, arbitrary: fc.nat(50).map((index) => ({ drop: index })) },
  { weight: 1, arbitrary: fc.constantFrom(undefined, 'one', 'two').map((root) => ({ root })) },
);

describe('snapshots, for random meshes and changes', () => {
  it('incremental equals from scratch, to the version of every resource', async () => {
    const property = fc.asyncProperty(
      arbitraryMesh,
      fc.array(fc.tuple(arbitraryChange, fc.boolean()), { minLength: 1, maxLength: 8 }),
      async (mesh, changes) => {
        const clock = createFakeClock();
        const live = createSnapshots({ registry: createRegistry(), clock, hash });
        const objects = new Map<string, AnyObject>();
        let bundle: TrustBundle | undefined;
        const put = (list: readonly AnyObject[]): ChangeEvent[] => {
          for (const object of list) objects.set(object.key, object);
          return list.map((object) => ({ kind: 'upsert', object }));
        };
        live.apply(put(objectsOf(toYaml(mesh))));
        everything(live);
        for (const [change, look] of changes) {
          if ('put' in change) live.apply(put(objectsOf(toYaml([change.put]))));
          else if ('root' in change) {
            bundle = change.root === undefined ? undefined : { roots: [certificatePem(change.root)] };
            live.setTrustBundle(bundle);
          } else {
            const key = [...objects.keys()][change.drop % objects.size];
            if (key === undefined) continue;
            objects.delete(key);
            live.apply([{ kind: 'delete', key }]);
          }
          await clock.pass(50);
          // Not always: cells that are several changes behind must catch up too.
          if (look) everything(live);
        }
        // Whatever was held is served by then.
        everything(live);
        await clock.pass(5_000);
        const scratch = createSnapshots({ registry: createRegistry(), clock: createFakeClock(), hash });
        scratch.setTrustBundle(bundle);
        scratch.apply([...objects.values()].map((object) => ({ kind: 'upsert', object })));
        expect(everything(live)).toEqual(everything(scratch));
        expect(live.problems()).toEqual(scratch.problems());
      },
    );
    await fc.assert(property, { numRuns: 40 });
  }, 120_000);

  it('two manifests of one key are one object', () => {
    fc.assert(
      fc.property(arbitraryManifest, (manifest) => objectsOf(toYaml([manifest]))[0]?.key === manifestKey(manifest)),
    );
  });
});
