import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import type { Clock } from '@inmesh/sdk/internal/clock';
import { type ControlPlaneMetrics, count, shortType } from '../admin/metrics.ts';
import type { Refusal } from '../auth/principal.ts';
import { defaultOf } from '../defaults.ts';
import type { AccessParts } from '../discovery/access.ts';
import { createAdmit } from '../discovery/admit.ts';
import type { AdsService } from '../discovery/ads-service.ts';
import { type AdsServer, type AdsServerDeps, listenAds, listenSecureAds } from '../discovery/grpc-server.ts';
import type { LoadService } from '../discovery/load-service.ts';
import { unixPath } from '../discovery/stale-socket.ts';
import { hostOf, isLoopback } from '../loopback.ts';
import type { MeshIdentity } from './identity.ts';
import { RefusalBook } from './refusal-book.ts';

export interface DoorsParts {
  readonly service: AdsService;
  readonly identity: MeshIdentity;
  readonly loads: LoadService | undefined;
  readonly metrics: ControlPlaneMetrics;
  readonly problem: (message: string) => void;
  readonly clock: Clock;
}

/** Where it may be asked for in a cluster (Istio), and what every machine calls itself. */
const NAMES: readonly string[] = ['istiod.istio-system.svc', 'istiod.istio-system', 'istiod', 'localhost'];
const ADDRESSES: readonly string[] = ['127.0.0.1', '::1'];

/** A flood of those who are not let in must not become one of lines. */
const EVERY = 100;

/** The ports of a control plane, and what is told of those who are not let in. */
export class Doors {
  readonly #parts: DoorsParts;
  readonly refusals = new RefusalBook();

  constructor(parts: DoorsParts) {
    this.#parts = parts;
  }

  /** Plain text: for this machine; `isPublic`: for others too, who see what everyone may see. */
  openPlain(address: string, isPublic: boolean): Promise<AdsServer> {
    if (!isPublic && unixPath(address) === undefined && !isLoopback(hostOf(address)))
      throw new Error(
        `${address}: plain text is for loopback addresses and unix sockets; other machines come over TLS (secure), or publicPlaintext lets them see what is exported to everyone`,
      );
    return listenAds(this.#parts.service, address, this.#deps(isPublic));
  }

  /** TLS; `names`: DNS names and IP addresses that clients know this server by, beside the usual. */
  async openSecure(address: string, names: readonly string[]): Promise<AdsServer> {
    const { service, identity } = this.#parts;
    const { trustDomain } = await identity.authority();
    const own = await identity.ownCertificate(certifiedNames(address, names));
    return listenSecureAds(service, address, { ...this.#deps(false), identity: own, trustDomain });
  }

  readonly denied: AccessParts['denied'] = ({ id, peer }, typeUrl, name, why) => {
    const { metrics, problem } = this.#parts;
    const times = count(metrics.denied, shortType(typeUrl));
    if (times > EVERY && times % EVERY !== 0) return;
    const { principal } = peer;
    const who =
      principal === undefined ? `${id} (unproven)` : `${id} (${principal.namespace}/${principal.serviceAccount})`;
    problem(`${who}: asks for ${shortType(typeUrl)} "${name.slice(0, 200)}", told that it does not exist: ${why}`);
  };

  #deps(isPublicPlaintext: boolean): AdsServerDeps {
    const { identity, clock, loads } = this.#parts;
    return {
      clock,
      loads,
      unreadMs: defaultOf('unreadStreamMs'),
      admit: createAdmit({ authenticate: identity.authenticate, isPublicPlaintext }),
      ...(identity.hasCa && { certify: identity.certify }),
      turnedAway: (refusal, address) => this.#turnedAway(refusal, address),
    };
  }

  #turnedAway({ refused, message }: Refusal, address: string | undefined): void {
    const { metrics, problem, clock } = this.#parts;
    this.refusals.add({ refused, message }, address, clock.wallTime());
    const times = count(metrics.turnedAway, refused);
    if (times > EVERY && times % EVERY !== 0) return;
    const often = times > EVERY ? ` (${times} times)` : '';
    problem(`a client at ${address ?? 'a unix socket'} is not let in, ${refused}${often}: ${message}`);
  }
}

function certifiedNames(address: string, names: readonly string[]): { dns: readonly string[]; ips: readonly string[] } {
  const host = hostOf(address).replace(/^\[|\]$/g, '');
  const isAnywhere = host === '0.0.0.0' || host === '::' || host === '';
  const own = isAnywhere ? [hostname(), ...interfaceAddresses()] : [host];
  const all = [...new Set([...names, ...own, ...NAMES, ...ADDRESSES])];
  return {
    dns: all.filter((name) => isIP(name) === 0 && DNS_NAME.test(name)),
    ips: all.filter((name) => isIP(name) !== 0 && !name.includes('%')),
  };
}

const DNS_NAME = /^(\*\.)?[a-z0-9_]([-a-z0-9_.]{0,251}[a-z0-9])?$/i;

const interfaceAddresses = (): readonly string[] =>
  Object.values(networkInterfaces()).flatMap((list = []) => list.map(({ address }) => address));
