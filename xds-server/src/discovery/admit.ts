import { isIP } from 'node:net';
import { type Clock, systemClock } from '@inmesh/sdk/internal/clock';
import { type Authenticate, bearerToken } from '../auth/authenticator.ts';
import { isRefusal, type Proof, type Refusal, refuse } from '../auth/principal.ts';
import { isLoopback } from '../loopback.ts';
import type { Peer } from './peer.ts';

/** How a call came, and what it shows. */
export interface Arrival {
  readonly transport: 'tls' | 'tcp' | 'unix';
  readonly address: string | undefined;
  /** Values of `authorization`. */
  readonly authorization: readonly unknown[];
  /** Of the connection's client certificate. */
  readonly certificate?: Proof | undefined;
}

export interface AdmitParts {
  readonly authenticate: Authenticate;
  /** Whether a plain text port serves other machines what everyone may see. */
  readonly isPublicPlaintext: boolean;
  readonly clock?: Clock;
}

export type Admitted = Peer | Refusal;
export type Admit = (arrival: Arrival) => Admitted | Promise<Admitted>;

export const isTurnedAway = (admitted: Admitted): admitted is Refusal => 'refused' in admitted;

/**
 * Who may come in, and as whom. Over TLS: who proves it. In plain text: whoever is on this machine, as nobody or as whom its token
 * proves; others only where the operator has opened the port to them, and as nobody.
 */
export function createAdmit({ authenticate, isPublicPlaintext, clock = systemClock }: AdmitParts): Admit {
  return ({ transport, address, authorization, certificate: seen }) => {
    // It was good when the connection began, which may stand for days.
    const certificate = seen && inTime(seen, clock);
    const isLocal = transport === 'unix' || (transport === 'tcp' && address !== undefined && isLoopback(address));
    const token = bearerToken(authorization);
    if (typeof token === 'object') return token;
    if (transport !== 'tls' && !isLocal) return fromElsewhere(address, token !== undefined, isPublicPlaintext);
    if (token === undefined && certificate === undefined)
      return isLocal ? { address } : refuse('no-credential', 'want a bearer token or a client certificate');
    return proven(
      authenticate({ ...(token !== undefined && { token }), ...(certificate && { certificate }) }),
      address,
    );
  };
}

function inTime(certificate: Proof, clock: Clock): Proof {
  if (isRefusal(certificate) || (certificate.expiresAtMs ?? Number.POSITIVE_INFINITY) > clock.wallTime())
    return certificate;
  return refuse('expired', 'certificate: it has expired since the connection began; connect again with a new one');
}

async function proven(proof: Promise<Proof | undefined>, address: string | undefined): Promise<Admitted> {
  const found = (await proof) ?? refuse('no-credential', 'want a bearer token or a client certificate');
  return isRefusal(found) ? found : { address, principal: found };
}

function fromElsewhere(address: string | undefined, hasToken: boolean, isPublic: boolean): Admitted {
  if (hasToken)
    return refuse(
      'in-clear',
      'a token came in plain text over the network: everyone on the way has it now; use the TLS port',
    );
  return isPublic
    ? { address, isPublic: true }
    : refuse('no-credential', 'plain text is for this machine: use the TLS port');
}

/** `127.0.0.1:1234`, `[::1]:1234` or a unix path → the address alone; undefined where it is not an IP. */
export function addressOf(peer: string): string | undefined {
  const host = peer
    .slice(0, peer.lastIndexOf(':'))
    .replace(/^\[|\]$/g, '')
    .replace(/^::ffff:/, '');
  return isIP(host) === 0 ? undefined : host;
}
