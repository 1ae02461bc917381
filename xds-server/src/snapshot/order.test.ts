import { createHash } from 'node:crypto';
import { fromBinary } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { Cluster_DiscoveryType, ClusterSchema } from '@inmesh/sdk/internal/gen/cluster';
import { HttpConnectionManagerSchema, ListenerSchema } from '@inmesh/sdk/internal/gen/listener';
import { RouteConfigurationSchema } from '@inmesh/sdk/internal/gen/route';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { createRegistry } from '../registry/registry.ts';
import type { ChangeEvent } from '../schema/types.ts';
import { arbitraryManifest, arbitraryMesh, RESOURCES, toYaml, VIEWS } from '../translate/fixtures/arbitrary-mesh.ts';
import { objectsOf } from '../translate/fixtures/world-from-yaml.ts';
import { isInboundName } from '../translate/inbound/name.ts';
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE } from '../translate/resource-types.ts';
import { referencedClusters } from '../translate/route/referenced-clusters.ts';
import type { View } from '../translate/view.ts';
import type { EncodedResource } from './encoded-resource.ts';
import { createSnapshots, type Snapshots } from './snapshots.ts';

const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex').slice(0, 16);

/** Until every quiet time and every hold is over. */
const SETTLED_MS = 10_000;

const bodyOf = ({ any }: EncodedResource): Uint8Array => fromBinary(AnySchema, any).value;

/** Version and bytes of everything that any client may hold. */
const everything = (snapshots: Snapshots): ReadonlyMap<string, string> =>
  new Map(
    VIEWS.flatMap((view) =>
      RESOURCES.map(([typeUrl, name]): [string, string] => {
        const resource = snapshots.current().resource(view, typeUrl, name);
        const text = resource && `${resource.version} ${Buffer.from(resource.any).toString('base64')}`;
        return [`${view.namespace} ${typeUrl} ${name}`, text ?? 'none'];
      }),
    ),
  );

const keyOf = (event: ChangeEvent): string => (event.kind === 'upsert' ? event.object.key : event.key);

const history = fc
  .tuple(
    arbitraryMesh,
    fc.array(
      fc.oneof(
        { weight: 3, arbitrary: arbitraryManifest.map((put) => ({ put })) },
        { weight: 1, arbitrary: fc.nat(100).map((drop) => ({ drop })) },
      ),
      { minLength: 4, maxLength: 14 },
    ),
  )
  .map(([mesh, changes]) => {
    const start = objectsOf(toYaml(mesh)).map((object): ChangeEvent => ({ kind: 'upsert', object }));
    const keys = start.map(keyOf);
    const later = changes.flatMap((change): readonly ChangeEvent[] => {
      if ('put' in change) return objectsOf(toYaml([change.put])).map((object) => ({ kind: 'upsert', object }));
      const key = keys[change.drop % keys.length];
      return key === undefined ? [] : [{ kind: 'delete', key: key as `${string}/${string}/${string}` }];
    });
    return [...start, ...later];
  });

/** Numbers that sort events into another order, and tell where a batch ends and how long it is quiet after it. */
const shuffling = fc.infiniteStream(
  fc.record({ rank: fc.nat(), ends: fc.boolean(), pauseMs: fc.constantFrom(0, 5, 60) }),
);

/** Another order of the same changes: those of one object keep theirs, for the last one is what holds. */
const reordered = (events: readonly ChangeEvent[], ranks: readonly number[]): readonly ChangeEvent[] => {
  const places = events.map((event, index) => ({ key: keyOf(event), rank: ranks[index] ?? 0, index }));
  const order = places.toSorted((a, b) => a.rank - b.rank || a.index - b.index);
  const queues = new Map<string, ChangeEvent[]>();
  for (const event of events) queues.set(keyOf(event), [...(queues.get(keyOf(event)) ?? []), event]);
  return order.flatMap(({ key }) => queues.get(key)?.shift() ?? []);
};

interface Shuffle {
  readonly rank: number;
  readonly ends: boolean;
  readonly pauseMs: number;
}

const play = async (
  events: readonly ChangeEvent[],
  shuffles: readonly Shuffle[],
  look: (snapshots: Snapshots) => void = () => {},
): Promise<Snapshots> => {
  const clock = createFakeClock();
  const snapshots = createSnapshots({ registry: createRegistry(), clock, hash });
  let batch: ChangeEvent[] = [];
  for (const [index, event] of reordered(
    events,
    shuffles.map(({ rank }) => rank),
  ).entries()) {
    batch.push(event);
    const { ends = true, pauseMs = 0 } = shuffles[index] ?? {};
    if (!ends) continue;
    snapshots.apply(batch);
    batch = [];
    await clock.pass(pauseMs);
    look(snapshots);
  }
  snapshots.apply(batch);
  look(snapshots);
  await clock.pass(SETTLED_MS);
  look(snapshots);
  return snapshots;
};

/** A client that holds everything, and looks at each snapshot for what does not go together. */
const createWatcher = () => {
  const served = new Map<string, EncodedResource>();
  const faults: string[] = [];
  const check = (snapshots: Snapshots, view: View): void => {
    const get = (typeUrl: string, name: string) => snapshots.current().resource(view, typeUrl, name);
    const isWhole = (route: EncodedResource): boolean =>
      referencedClusters(fromBinary(RouteConfigurationSchema, bodyOf(route))).every(
        (name) => get(CLUSTER_TYPE, name) !== undefined,
      );
    for (const [typeUrl, name] of RESOURCES) {
      const resource = get(typeUrl, name);
      if (resource === undefined) {
        served.delete(`${view.kind} ${view.namespace} ${name}`);
        continue;
      }
      if (typeUrl === ROUTE_TYPE) {
        const key = `${view.kind} ${view.namespace} ${name}`;
        const before = served.get(key);
        served.set(key, resource);
        // Rules that name what is not there are served, and answered 503; but never in place of routes that work.
        if (before !== undefined && before.version !== resource.version && isWhole(before) && !isWhole(resource)) {
          faults.push(`${key}: working routes gave way to torn ones`);
        }
      }
      if (typeUrl === CLUSTER_TYPE) {
        const { clusterDiscoveryType: type } = fromBinary(ClusterSchema, bodyOf(resource));
        const wants = type.case === 'type' && type.value === Cluster_DiscoveryType.EDS;
        if (wants !== (get(ENDPOINT_TYPE, name) !== undefined)) faults.push(`${name}: cluster and endpoints disagree`);
      }
      if (typeUrl === LISTENER_TYPE && !isInboundName(name) && !hasRoutes(get, resource))
        faults.push(`${name}: a listener without its routes`);
    }
  };
  const look = (snapshots: Snapshots): void => {
    for (const view of VIEWS) check(snapshots, view);
  };
  return { faults, look };
};

const hasRoutes = (
  get: (typeUrl: string, name: string) => EncodedResource | undefined,
  listener: EncodedResource,
): boolean => {
  const manager = fromBinary(ListenerSchema, bodyOf(listener)).apiListener?.apiListener?.value;
  const { routeSpecifier } = fromBinary(HttpConnectionManagerSchema, manager ?? new Uint8Array());
  return routeSpecifier.case === 'rds' && get(ROUTE_TYPE, routeSpecifier.value.routeConfigName) !== undefined;
};

describe('snapshots, for random orders of the same changes', () => {
  it('versions and bytes are equal in the end, for every client and every batching', async () => {
    const property = fc.asyncProperty(history, shuffling, shuffling, async (events, one, other) => {
      const first = await play(events, [...one.take(events.length)]);
      const second = await play(events, [...other.take(events.length)]);
      expect(everything(second)).toEqual(everything(first));
      expect(second.problems()).toEqual(first.problems());
    });
    await fc.assert(property, { numRuns: 20, endOnFailure: true });
  }, 120_000);

  it('no snapshot on the way is torn: listeners have routes, clusters endpoints, and working routes stay until the next work', async () => {
    const property = fc.asyncProperty(history, shuffling, async (events, shuffles) => {
      const { faults, look } = createWatcher();
      // Quick enough for no hold to run out on the way.
      const steps = [...shuffles.take(events.length)].map((step) => ({ ...step, pauseMs: Math.min(step.pauseMs, 40) }));
      const clock = createFakeClock();
      const snapshots = createSnapshots({ registry: createRegistry(), clock, hash });
      for (const [index, event] of reordered(
        events,
        steps.map(({ rank }) => rank),
      ).entries()) {
        snapshots.apply([event]);
        await clock.pass(steps[index]?.pauseMs ?? 0);
        look(snapshots);
      }
      expect(faults).toEqual([]);
    });
    await fc.assert(property, { numRuns: 20, endOnFailure: true });
  }, 120_000);
});
