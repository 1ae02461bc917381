import type { CredentialSettings, IdentitySettings } from '../bootstrap/identity-settings.ts';
import type { Clock, Random } from '../clock.ts';
import { createDiscovery, type Discovery } from '../discovery/discovery.ts';
import type { NodeDescription } from '../discovery/protocol/node-description.ts';
import type { AdsTransport } from '../discovery/transport.ts';
import type { EventSink } from '../model/events.ts';
import { secretType } from '../resource/tls/secret.ts';
import { createCredentials } from './credentials.ts';
import type { Svid } from './identity.ts';
import { createIdentity, type LiveIdentity } from './live-identity.ts';
import { type MeshRoots, meshRootsOf } from './mesh-roots.ts';
import type { IdentitySource } from './source.ts';
import { createSdsSource, OWN_ROOTS } from './sources/sds.ts';

export interface IdentityStartParts {
  readonly settings: IdentitySettings;
  /** The control plane, for secrets. */
  readonly discovery: Discovery;
  /** Where it is in this process. */
  readonly transport: AdsTransport | undefined;
  readonly node: NodeDescription;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: EventSink;
}

/** The identity as the settings say, not begun yet; undefined where they name no credential. */
export async function openIdentity(parts: IdentityStartParts): Promise<LiveIdentity | undefined> {
  const { settings, discovery, clock, emit } = parts;
  let identity: LiveIdentity | undefined;
  const source = await createSource(parts, () => identity?.own());
  if (source === undefined) return undefined;
  const warn = (reason: string): void => emit({ kind: 'identity-failed', source: `secret ${OWN_ROOTS}`, reason });
  identity = createIdentity({
    source,
    clock,
    emit,
    aliases: settings.aliases,
    // What SDS over ADS says of roots is this very secret.
    ...(source.kind !== 'sds' && { watchRoots: (tell) => watchRoots(discovery, tell, warn) }),
  });
  return identity;
}

async function createSource(
  parts: IdentityStartParts,
  svid: () => Svid | undefined,
): Promise<IdentitySource | undefined> {
  const { settings, transport, clock, random } = parts;
  const { source, uri, certificateTtlMs: ttlMs } = settings;
  if (settings.isOff) return undefined;
  // A control plane in this process knows who asks: it needs no token.
  const call = transport?.call;
  if (source === undefined || (source.kind === 'ca' && call !== undefined)) {
    if (call === undefined) return undefined;
    const [{ createCaSource }, { askInProcess }] = await loadCa();
    return createCaSource({ from: 'CA in this process', ask: askInProcess(call), uri, ttlMs, clock, random });
  }
  switch (source.kind) {
    case 'given':
      return (await import('./sources/given.ts')).createGivenSource(source);
    case 'files':
      return (await import('./sources/files.ts')).createFilesSource(source, clock);
    case 'sds':
      return openSds(source, parts);
    case 'ca': {
      const [{ createCaSource }, { askOverNetwork }] = await loadCa();
      const ask = askOverNetwork({
        servers: source.servers,
        credentials: createCredentials({ settings, svid }),
        clock,
      });
      return createCaSource({ from: `CA ${source.servers.join(', ')}`, ask, uri, ttlMs, clock, random });
    }
    case 'workload-api': {
      const { createWorkloadApiSource } = await import('./sources/workload-api.ts');
      return createWorkloadApiSource({ address: source.address, clock, random });
    }
  }
}

const loadCa = () => Promise.all([import('./sources/ca.ts'), import('../wire/istio-ca.ts')]);

async function openSds(
  { server }: Extract<CredentialSettings, { kind: 'sds' }>,
  { discovery, node, clock, random, emit }: IdentityStartParts,
): Promise<IdentitySource> {
  if (server === 'ads') return createSdsSource({ from: 'SDS of the control plane', discovery, isOwn: false });
  const { createGrpcTransport } = await import('../wire/grpc-transport.ts');
  const transport = createGrpcTransport({ server, service: 'sds', clock });
  const own = createDiscovery({ servers: [{ transport }], node, clock, random, emit });
  return createSdsSource({ from: `SDS ${server}`, discovery: own, isOwn: true });
}

/** What is gone at the control plane is not forgotten here: nobody could be verified. */
export function watchRoots(
  discovery: Discovery,
  tell: (roots: MeshRoots | undefined) => void,
  warn: (reason: string) => void,
): () => void {
  let isTold = false;
  return discovery.subscribe(secretType, OWN_ROOTS, {
    onResource(secret) {
      const roots = meshRootsOf(secret);
      if (typeof roots !== 'string') tell(roots);
      else {
        warn(roots);
        // The last good ones stay. Where there are none, somebody is revoked and it is not known who: nobody can be taken.
        if (isTold || secret.kind !== 'roots' || secret.crl === undefined) return;
        tell({ own: '', byTrustDomain: new Map(), revoked: roots });
      }
      isTold = true;
    },
    // A control plane without a CA has none to tell; the source's own go on.
    onAbsent() {},
    onError: warn,
  });
}
