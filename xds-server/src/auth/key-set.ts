import type { Clock } from '@inmesh/sdk/internal/clock';
import type { JSONWebKeySet } from 'jose';
import { defaultOf } from '../defaults.ts';
import { httpsRequest } from '../kubernetes/https-request.ts';

/** The keys of an issuer, held and renewed. */
export interface KeySet {
  /**
   * Those that are held; asks for them where none are or they are old. `isMissing`: the ones held did not fit, so newer ones are
   * asked for, now and then. Throws where the last good ones are older than an hour.
   */
  get(isMissing?: boolean): Promise<JSONWebKeySet>;
}

export interface KeySetOptions {
  readonly issuer: string;
  /** Told by the issuer's discovery document where absent (OpenID Connect Discovery §4). */
  readonly jwksUri?: string;
  /** PEM of the roots of both; the platform's where absent. */
  readonly ca?: string;
  readonly clock: Clock;
}

interface Held {
  readonly keys: JSONWebKeySet;
  readonly atMs: number;
}

export function createKeySet(options: KeySetOptions): KeySet {
  const { clock } = options;
  let held: Held | undefined;
  let asking: Promise<Held> | undefined;
  let failedAtMs = Number.NEGATIVE_INFINITY;
  const ask = (): Promise<Held> => {
    asking ??= fetchKeys(options)
      .then((keys) => {
        held = { keys, atMs: clock.now() };
        return held;
      })
      .catch((error: unknown) => {
        failedAtMs = clock.now();
        throw error;
      })
      .finally(() => {
        asking = undefined;
      });
    return asking;
  };
  return {
    async get(isMissing = false) {
      const now = clock.now();
      const age = held === undefined ? Number.POSITIVE_INFINITY : now - held.atMs;
      const isDue = age >= (isMissing ? defaultOf('keySetRetryMs') : defaultOf('keySetMs'));
      // Strangers who write unknown key ids must not become a flood of questions to the issuer.
      const mayAsk = now - failedAtMs >= defaultOf('keySetRetryMs');
      if (held !== undefined && !(isDue && mayAsk) && age < defaultOf('keySetMaxMs')) return held.keys;
      if (!mayAsk) throw new Error('the keys of its issuer could not be had, and are asked for again in a moment');
      try {
        return (await ask()).keys;
      } catch (error) {
        if (held !== undefined && age < defaultOf('keySetMaxMs')) return held.keys;
        throw error;
      }
    },
  };
}

async function fetchKeys({ issuer, jwksUri, ca }: KeySetOptions): Promise<JSONWebKeySet> {
  const get = async (url: string): Promise<unknown> => {
    const where = URL.parse(url);
    if (where === null) throw new Error(`${issuer}: its keys stand at no URL`);
    const limits = { timeoutMs: defaultOf('keySetTimeoutMs'), maxBytes: defaultOf('keySetBytes') };
    const { status, body } = await httpsRequest(where, { ...limits, ...(ca !== undefined && { ca }) });
    if (status !== 200) throw new Error(`${url}: answers ${status}`);
    return JSON.parse(body);
  };
  const uri = jwksUri ?? (await discovered(issuer, get));
  const read = await get(uri);
  const keys = typeof read === 'object' && read !== null && 'keys' in read ? read.keys : undefined;
  if (!Array.isArray(keys)) throw new Error(`${uri}: want a JSON Web Key Set (RFC 7517)`);
  // A symmetric key in a public list is known to everyone; its algorithms are not taken either way.
  const usable = keys.filter((key) => typeof key === 'object' && key !== null && key.kty !== 'oct');
  return { keys: usable };
}

async function discovered(issuer: string, get: (url: string) => Promise<unknown>): Promise<string> {
  const document = await get(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  const { issuer: said, jwks_uri: uri }: { issuer?: unknown; jwks_uri?: unknown } = Object(document);
  if (said !== issuer) throw new Error(`${issuer}: its discovery document names another issuer`);
  if (typeof uri !== 'string') throw new Error(`${issuer}: its discovery document has no jwks_uri`);
  return uri;
}
