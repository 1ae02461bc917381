import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { createScriptedAds } from '../../../test/harness/scripted-ads.ts';
import { seededRandom } from '../../../test/harness/seeded-random.ts';
import type { MeshEvent } from '../model/events.ts';
import { clusterType } from '../resource/cluster/cluster.ts';
import { loadAssignmentType } from '../resource/endpoint/load-assignment.ts';
import { listenerType } from '../resource/listener/listener.ts';
import type { ResourceType } from '../resource/resource-type.ts';
import { createDiscovery, type Discovery, type DiscoveryOptions } from './discovery.ts';

export const LDS = listenerType.typeUrl;
export const CDS = clusterType.typeUrl;
export const EDS = loadAssignmentType.typeUrl;
export const UNIMPLEMENTED = 12;
export const UNAVAILABLE = 14;

/** A client of a scripted control plane, on a clock of its own. */
export function setUp(options: Partial<DiscoveryOptions> = {}, server?: string) {
  const clock = createFakeClock();
  const ads = createScriptedAds(server);
  const events: MeshEvent[] = [];
  const holds = { count: 0 };
  const discovery = createDiscovery({
    servers: [{ transport: ads.transport }],
    node: { id: 'sidecar~1~a.b~c', cluster: 'c', metadata: { NAMESPACE: 'b' } },
    clock,
    random: seededRandom(7),
    emit: (event) => events.push(event),
    hold: () => {
      holds.count += 1;
      return { cancel: () => (holds.count -= 1) };
    },
    ...options,
  });
  return { clock, ads, events, holds, discovery };
}

/** What a watcher was told, in words. */
export function watch<T>(discovery: Discovery, type: ResourceType<T>, name: string) {
  const told: string[] = [];
  const values: T[] = [];
  const stop = discovery.subscribe(type, name, {
    onResource: (value, version) => {
      values.push(value);
      told.push(`resource ${version}`);
    },
    onAbsent: () => told.push('absent'),
    onError: (reason) => told.push(`error ${reason}`),
    onSilent: () => told.push('silent'),
  });
  return { told, values, stop };
}

export const nackOf = (events: readonly MeshEvent[]) =>
  events.flatMap((event) => (event.kind === 'xds-nack' ? event.errors : []));
