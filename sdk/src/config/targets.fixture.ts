import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { createResourceBoard, type ResourceBoard } from '../../../test/harness/resource-board.ts';
import * as xds from '../../../test/harness/xds-resources.ts';
import type { MeshEvent } from '../model/events.ts';
import type { TargetConfig } from '../model/target.ts';
import { clusterType } from '../resource/cluster/cluster.ts';
import { loadAssignmentType } from '../resource/endpoint/load-assignment.ts';
import { listenerType } from '../resource/listener/listener.ts';
import type { ResourceType } from '../resource/resource-type.ts';
import { routeConfigurationType } from '../resource/route/route-configuration.ts';
import { createTargets, type TargetsOptions } from './targets.ts';

export const TARGET = 'reviews:9080';

export function decoded<T>(type: ResourceType<T>, any: { value: Uint8Array }): { value: T } {
  const result = type.decode(any.value);
  if ('errors' in result) throw new Error(result.errors.join());
  return { value: result.ok };
}

export const listener = (routes = 'r', name = TARGET) => decoded(listenerType, xds.listener(name, routes));
export const routes = (...clusters: string[]) =>
  decoded(routeConfigurationType, xds.routes('r', ...clusters.map((name) => xds.toCluster(name, `/${name}`))));
export const cluster = (name: string) => decoded(clusterType, xds.cluster(name));
export const endpoints = (name: string, ...ports: number[]) =>
  decoded(loadAssignmentType, xds.endpoints(name, ...ports));

/** The live form of a configuration is the configuration, as text. */
export const textOf = (config: TargetConfig): string =>
  [...config.clusters]
    .map(([name, state]) => {
      const ports =
        state.kind === 'ready'
          ? (state.config.assignment?.localities.flatMap((locality) => locality.endpoints.map(({ port }) => port)) ?? [
              'none',
            ])
          : ['failed'];
      return `${name}=${ports.join('+')}`;
    })
    .join(' ');

export function setUp(options: Partial<TargetsOptions<string>> = {}) {
  const clock = createFakeClock();
  const board = createResourceBoard();
  const events: MeshEvent[] = [];
  const retired: string[] = [];
  const targets = createTargets<string>({
    discovery: board.discovery,
    clock,
    emit: (event) => events.push(event),
    prepare: async (config) => textOf(config),
    retire: (value) => retired.push(value),
    ...options,
  });
  return { clock, board, events, retired, targets };
}

export function postAll(board: ResourceBoard, ...names: string[]) {
  board.post(listenerType, TARGET, listener());
  board.post(routeConfigurationType, 'r', routes(...names));
  for (const name of names) {
    board.post(clusterType, name, cluster(name));
    board.post(loadAssignmentType, name, endpoints(name, 1));
  }
}

export const inUse = (state: ReturnType<ReturnType<typeof setUp>['targets']['lookup']>) =>
  state.kind === 'ready' ? state.value : state.kind;
