import type { Clock } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { Discovery } from '../discovery/discovery.ts';
import type { LiveIdentity } from '../identity/live-identity.ts';
import { createNoIdentity } from '../identity/no-identity.ts';
import type { CoreParts } from './core.ts';

/** Who this process is, as `mesh.identity()` tells it. Times are wall-clock times. */
export interface MeshIdentity {
  /** The SPIFFE ID. */
  readonly id: string;
  readonly trustDomain: string;
  /** Trust domains whose workloads can be verified. */
  readonly trusts: readonly string[];
  readonly serialNumber: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Where it comes from: `CA tls://istiod.istio-system.svc:15012`, `files /etc/certs/cert-chain.pem`. */
  readonly source: string;
  /** When the next is asked for; undefined: when its source says so. */
  readonly nextRotationMs: number | undefined;
  /** Grows with each change of the certificate or the roots. */
  readonly generation: number;
  /** Why the last attempt to renew it went wrong, where it did. */
  readonly problem: string | undefined;
}

/** Loaded only where a credential is named: certificates and their ASN.1 are not for who needs none. */
export async function createCoreIdentity(parts: CoreParts, discovery: Discovery): Promise<LiveIdentity> {
  const { bootstrap, transport, clock, random, events } = parts;
  const { identity: settings, node } = bootstrap;
  if (settings.isOff) return createNoIdentity('the option identity is false');
  if (settings.source === undefined && transport?.call === undefined) return createNoIdentity();
  const { openIdentity } = await import('../identity/start.ts');
  const { emit } = events;
  const opened = await openIdentity({ settings, discovery, transport, node, clock, random, emit });
  if (opened === undefined) return createNoIdentity();
  // What failed while the control plane was away may work now that it is back.
  events.on((event) => event.kind === 'xds-connected' && opened.nudge());
  return opened;
}

/**
 * Where the certificate is all this process can prove itself by, a control plane over TLS is first spoken to with it. Not for
 * longer than an answer of the control plane would be waited for.
 */
export async function waitForProof(identity: LiveIdentity, { bootstrap, transport }: CoreParts): Promise<void> {
  const { source, token } = bootstrap.identity;
  const isTls = !transport && bootstrap.servers.some(({ address }) => /^(?:tls|https|grpcs):/.test(address));
  const isElsewhere =
    source !== undefined && source.kind !== 'ca' && !(source.kind === 'sds' && source.server === 'ads');
  if (!isTls || token !== undefined || !isElsewhere) return;
  // Without it the control plane says what is missing.
  await identity.held(defaultOf('silentControlPlaneMs'));
}

/** undefined: this process has none. Rejects with MESH_IDENTITY_UNAVAILABLE when it should have one and has not. */
export async function describeIdentity(
  identity: LiveIdentity,
  clock: Clock,
  timeoutMs: number,
): Promise<MeshIdentity | undefined> {
  if (identity.describe() === undefined) return undefined;
  const { svid, bundles, generation } = await identity.ready(timeoutMs);
  const { source = '', nextMs, problem } = identity.describe() ?? {};
  return {
    id: svid.id.uri,
    trustDomain: svid.id.trustDomain,
    trusts: bundles.trustDomains,
    serialNumber: svid.serialNumber,
    notBeforeMs: svid.notBeforeMs,
    notAfterMs: svid.notAfterMs,
    source,
    nextRotationMs: nextMs === undefined ? undefined : Math.round(clock.wallTime() + Math.max(0, nextMs - clock.now())),
    generation,
    problem,
  };
}
