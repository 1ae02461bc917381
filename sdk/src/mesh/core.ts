import type { Bootstrap } from '../bootstrap/bootstrap.ts';
import { startCall } from '../call/call.ts';
import { createLiveTargets, type LiveTarget } from '../call/live-target.ts';
import { type Clock, type Random, systemTurn } from '../clock.ts';
import { createTargets, type Targets } from '../config/targets.ts';
import { createConnections } from '../connection/connections.ts';
import { createDiscovery, type Discovery } from '../discovery/discovery.ts';
import type { LastGood } from '../discovery/last-good.ts';
import type { AdsTransport } from '../discovery/transport.ts';
import type { MeshCore } from '../http/runtime.ts';
import type { Registration } from '../options.ts';
import type { Events } from './events.ts';
import { preferInOrder } from './servers.ts';

export interface CoreParts {
  readonly bootstrap: Bootstrap;
  readonly transport: AdsTransport | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: Events;
  readonly configTimeoutMs: number;
}

/** Everything below the shells, wired. Loaded when a mesh is made, not when the package is imported. */
export interface Core extends Pick<MeshCore, 'lookup' | 'start'> {
  readonly discovery: Discovery;
  readonly targets: Targets<LiveTarget>;
  register(list: readonly Registration[]): void;
  close(): Promise<void>;
}

export async function startCore(parts: CoreParts): Promise<Core> {
  const { bootstrap, clock, random, events } = parts;
  const { emit } = events;
  const transport = parts.transport ?? (await networkTransport(bootstrap.servers, clock));
  const { node, protocol: method, serverFeatures: features } = bootstrap;
  const lastGood = bootstrap.snapshotPath && (await openLastGood(bootstrap.snapshotPath, parts));
  const discovery = createDiscovery({
    transport,
    node,
    clock,
    random,
    emit,
    features,
    ...(method && { method }),
    ...(lastGood && { lastGood }),
  });
  const connections = createConnections({ clock });
  const onHostsChanged = () => connections.drainRemoved();
  const live = createLiveTargets({ clock, random, emit, onHostsChanged });
  const targets = createTargets({
    discovery,
    clock,
    emit,
    prepare: live.prepare,
    retire: live.retire,
    holdMs: parts.configTimeoutMs,
  });
  const calls = { clock, random, connections, emit, isObserved: events.isObserved, turn: systemTurn };
  return {
    discovery,
    targets,
    lookup: (target) => targets.lookup(target),
    start: (target, request, { body, handler, options }) => startCall(calls, target, request, body, handler, options),
    register: (list) => discovery.setMetadata('INMESH_REGISTER', list.map(asMetadata)),
    async close() {
      targets.close();
      await connections.closeAll();
      await discovery.close();
    },
  };
}

/** Loaded only where a snapshot file is asked for. */
async function openLastGood(path: string, { clock, events }: CoreParts): Promise<LastGood> {
  const [{ createLastGood }, { openSnapshotFile }] = await Promise.all([
    import('../discovery/last-good.ts'),
    import('../discovery/snapshot-file.ts'),
  ]);
  return createLastGood({ file: openSnapshotFile(path), clock, emit: events.emit });
}

/** The network's part is loaded only where there is a network between us and the control plane. */
async function networkTransport(servers: readonly string[], clock: Clock): Promise<AdsTransport> {
  const { createGrpcTransport } = await import('../wire/grpc-transport.ts');
  return preferInOrder(servers.map((server) => createGrpcTransport({ server, clock })));
}

const asMetadata = ({ service, port, version, labels, address }: Registration) => ({
  service,
  port,
  ...(version !== undefined && { version }),
  ...(labels && { labels: { ...labels } }),
  ...(address !== undefined && { address }),
});
