import type { Bootstrap } from '../bootstrap/bootstrap.ts';
import { listenerNameOf } from '../bootstrap/listener-name.ts';
import type { BootstrapServer } from '../bootstrap/server-address.ts';
import { createCallRuntime, startCall } from '../call/call.ts';
import { createLiveTargets, type LiveTarget } from '../call/live-target.ts';
import type { PolicyOptions } from '../call/policy-options.ts';
import { keepTermsOf } from '../call/terms.ts';
import { type Clock, type Random, systemTurn } from '../clock.ts';
import { createInbound, type Inbound } from '../config/inbound.ts';
import { createSecrets, type LiveSecrets } from '../config/secrets.ts';
import { createTargets, type Targets } from '../config/targets.ts';
import { createConnections } from '../connection/connections.ts';
import { createSecureTransports, type SecureTransports } from '../connection/secure-transports.ts';
import { createDiscovery, type Discovery } from '../discovery/discovery.ts';
import type { LastGood } from '../discovery/last-good.ts';
import type { XdsServer } from '../discovery/server-link.ts';
import type { AdsTransport } from '../discovery/transport.ts';
import type { MeshCore } from '../http/runtime.ts';
import type { Svid } from '../identity/identity.ts';
import type { LiveIdentity } from '../identity/live-identity.ts';
import { createLoads } from '../loads/loads.ts';
import { nameFromTemplate } from '../model/resource-name.ts';
import type { Registration } from '../options.ts';
import type { StartProbe } from '../upstream/health/checker.ts';
import { overNetwork } from '../upstream/health/over-network.ts';
import { loadOverNetwork } from '../upstream/load/over-network.ts';
import type { Upstream } from '../upstream/types.ts';
import type { Events } from './events.ts';
import { createCoreIdentity, waitForProof } from './identity.ts';
import { createSourceIp } from './source-ip.ts';

export interface CoreParts {
  readonly bootstrap: Bootstrap;
  readonly transport: AdsTransport | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: Events;
  readonly configTimeoutMs: number;
  readonly sourceIp?: 'own' | 'inbound';
  /** Of all calls. */
  readonly policy?: PolicyOptions | undefined;
  /** How hosts are asked for their health; over the network where absent. */
  readonly probe?: StartProbe | undefined;
}

/** Everything below the shells, wired. Loaded when a mesh is made, not when the package is imported. */
export interface Core extends Pick<MeshCore, 'lookup' | 'lookupConnection' | 'start'> {
  readonly discovery: Discovery;
  readonly targets: Targets<LiveTarget>;
  readonly sourceIp: () => string | undefined;
  /** Who this process is; begun by whoever first waits for it. */
  readonly identity: LiveIdentity;
  /** TLS towards others. */
  readonly secure: SecureTransports;
  /** What has come by SDS for clusters and listeners. */
  readonly secrets: LiveSecrets;
  /** Ports of this process. */
  readonly inbound: Inbound;
  register(list: readonly Registration[]): void;
  /** Living upstreams, by cluster name. */
  readonly upstreams: ReadonlyMap<string, Upstream>;
  close(): Promise<void>;
}

export async function startCore(parts: CoreParts): Promise<Core> {
  const { bootstrap, clock, random, events } = parts;
  const { emit } = events;
  let identity: LiveIdentity | undefined;
  const places = await reach(parts, () => identity?.own());
  const { node, protocol: method } = bootstrap;
  const lastGood = bootstrap.snapshotPath && (await openLastGood(bootstrap.snapshotPath, parts));
  const discovery = createDiscovery({
    ...places,
    node,
    clock,
    random,
    emit,
    ...(method && { method }),
    ...(lastGood && { lastGood }),
  });
  identity = await createCoreIdentity(parts, discovery);
  await waitForProof(identity, parts);
  const secrets = createSecrets({ discovery, emit });
  const secure = createSecureTransports({ clock, turn: systemTurn, identity, secrets });
  const connections = createConnections({ clock, random, secure });
  const onHostsChanged = () => connections.drainRemoved();
  const probe = parts.probe ?? overNetwork(secure);
  const transports = [...places.servers, ...[...places.authorities.values()].flat()].map((one) => one.transport);
  const loads = createLoads({ discovery, transports, clock, random, emit });
  const live = createLiveTargets({
    ...{ clock, random, emit, onHostsChanged, probe, loadStream: loadOverNetwork(secure), loads: loads.tallies },
  });
  const targets = createTargets({
    discovery,
    clock,
    emit,
    // Nobody waits for an identity that no credential leads to.
    tls: { secrets, identity: identity.describe() === undefined ? undefined : identity },
    prepare: live.prepare,
    retire: live.retire,
    holdMs: parts.configTimeoutMs,
    listenerName: (target) => listenerNameOf(bootstrap, target),
  });
  const inbound = createInbound({
    ...{ discovery, clock, emit, tls: { secrets, identity: undefined } },
    listenerName: (at) => nameFromTemplate(bootstrap.serverListenerTemplate, at),
  });
  const sourceIp = createSourceIp(parts.sourceIp ?? 'own');
  if (parts.policy !== undefined) keepTermsOf(parts.policy);
  const calls = createCallRuntime({ clock, random, connections, emit, isObserved: events.isObserved, sourceIp });
  return {
    discovery,
    targets,
    sourceIp,
    identity,
    secure,
    secrets,
    inbound,
    upstreams: live.upstreams,
    lookup: (target) => targets.lookup(target),
    lookupConnection: (target) => targets.lookupConnection(target),
    start: (target, request, { body, handler, options }) => startCall(calls, target, request, body, handler, options),
    register: (list) => discovery.setMetadata('INMESH_REGISTER', list.map(asMetadata)),
    async close() {
      targets.close();
      loads.close();
      inbound.close();
      // Calls that still run are encrypted as they began.
      await connections.closeAll();
      identity.close();
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

/** The servers of the top level and of each authority; one that stands in several lists is one (gRFC A47). */
async function reach({ bootstrap, transport, clock }: CoreParts, svid: () => Svid | undefined) {
  const network = transport ? undefined : await loadNetwork();
  const known = new Map<string, XdsServer>();
  const dial = ({ address, features, tls: files }: BootstrapServer): XdsServer[] => {
    if (network === undefined) return [];
    const credentials = network.createCredentials({ settings: bootstrap.identity, svid, files });
    const server = known.get(address) ?? {
      transport: network.createGrpcTransport({ server: address, credentials, clock }),
      features,
    };
    known.set(address, server);
    return [server];
  };
  const servers = transport ? [{ transport }] : bootstrap.servers.flatMap(dial);
  const authorities = new Map<string, readonly XdsServer[]>();
  for (const [name, own] of bootstrap.authorities) {
    authorities.set(name, own.length > 0 && !transport ? own.flatMap(dial) : servers);
  }
  return { servers, authorities };
}

/** The network's part is loaded only where there is a network between us and the control plane. */
const loadNetwork = async () => ({
  ...(await import('../wire/grpc-transport.ts')),
  ...(await import('../identity/credentials.ts')),
});

const asMetadata = ({ service, port, version, labels, address, tls }: Registration) => ({
  service,
  port,
  ...(version !== undefined && { version }),
  ...(labels && { labels: { ...labels } }),
  ...(address !== undefined && { address }),
  ...(tls !== undefined && { tls }),
});
