import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { createRegistry } from '../registry/registry.ts';
import {
  arbitraryManifest,
  arbitraryMesh,
  manifestKey,
  RESOURCES,
  toYaml,
  VIEWS,
} from '../translate/fixtures/arbitrary-mesh.ts';
import { objectsOf } from '../translate/fixtures/world-from-yaml.ts';
import type { View } from '../translate/view.ts';
import { createSnapshots, type Snapshots } from './snapshots.ts';

const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex').slice(0, 16);

/** A stream of a View: it keeps its lookups as long as it lives. */
const client = (snapshots: Snapshots, view: View) => {
  const lookups = new Map(
    [...new Set(RESOURCES.map(([type]) => type))].map((type) => [type, snapshots.lookup(view, type)]),
  );
  return () => RESOURCES.map(([type, name]) => lookups.get(type)?.(name));
};

const step = fc.record({
  change: arbitraryManifest,
  isDrop: fc.boolean(),
  // Within a quiet time, past it, past a held route, past what is kept of unused resources.
  passMs: fc.constantFrom(0, 25, 2_100, 61_000),
  isAskedByOther: fc.boolean(),
});

it('answers as the current snapshot does, whenever it is asked and whoever asked before', async () => {
  const property = fc.asyncProperty(
    arbitraryMesh,
    fc.array(step, { minLength: 1, maxLength: 8 }),
    async (mesh, steps) => {
      const clock = createFakeClock();
      const snapshots = createSnapshots({ registry: createRegistry(), clock, hash });
      const clients = VIEWS.map((view) => ({
        view,
        one: client(snapshots, view),
        other: client(snapshots, { ...view }),
      }));
      snapshots.apply(objectsOf(toYaml(mesh)).map((object) => ({ kind: 'upsert', object })));
      for (const { change, isDrop, passMs, isAskedByOther } of steps) {
        if (isDrop) snapshots.apply([{ kind: 'delete', key: manifestKey(change) }]);
        else snapshots.apply(objectsOf(toYaml([change])).map((object) => ({ kind: 'upsert', object })));
        await clock.pass(passMs);
        for (const { view, one, other } of clients) {
          const asked = one();
          const current = RESOURCES.map(([type, name]) => snapshots.current().resource(view, type, name));
          expect(asked.map((resource) => resource?.version)).toEqual(current.map((resource) => resource?.version));
          if (isAskedByOther) expect(other()).toEqual(current);
        }
      }
    },
  );
  await fc.assert(property, { numRuns: 60 });
}, 120_000);
