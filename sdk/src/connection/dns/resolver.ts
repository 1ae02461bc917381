import type { LookupAddress, RecordWithTtl } from 'node:dns';
import { defaultOf } from '../../defaults.ts';
import type { DnsFamily } from '../../model/cluster.ts';

/** `none`: the name does not exist, or has no address of that family; `failed`: nobody could say. */
export type Resolution =
  | { readonly kind: 'addresses'; readonly addresses: readonly string[]; readonly ttlMs: number | undefined }
  | { readonly kind: 'none' }
  | { readonly kind: 'failed'; readonly reason: string };

export interface Resolver {
  /** One question under way a name and family, however many ask. */
  resolve(name: string, family: DnsFamily): Promise<Resolution>;
}

export interface ResolverOptions {
  /** `address:port`; the system's where absent. */
  readonly servers?: readonly string[];
  /** How long a server has for an answer, and how often it is asked. */
  readonly timeoutMs?: number;
  readonly tries?: number;
  /** The system's own way (getaddrinfo), which knows /etc/hosts and search domains; family 0 is both. */
  readonly lookup?: (name: string, family: 0 | 4 | 6) => Promise<readonly LookupAddress[]>;
}

/** Asks DNS for addresses and how long they hold; the system for names that DNS does not have. */
export function createResolver(options: ResolverOptions = {}): Resolver {
  const underWay = new Map<string, Promise<Resolution>>();
  const ask = createQuestions(options);
  return {
    resolve(name, family) {
      const key = `${family} ${name}`;
      let answer = underWay.get(key);
      if (answer === undefined) {
        answer = ask(name, family).finally(() => underWay.delete(key));
        underWay.set(key, answer);
      }
      return answer;
    },
  };
}

function createQuestions({ servers, lookup = systemLookup, ...options }: ResolverOptions) {
  const { Resolver: DnsResolver } = process.getBuiltinModule('node:dns').promises;
  const timeout = options.timeoutMs ?? defaultOf('dnsTimeoutMs');
  const dns = new DnsResolver({ timeout, tries: options.tries ?? defaultOf('dnsTries') });
  if (servers !== undefined) dns.setServers(servers);

  const query = async (name: string, version: 4 | 6): Promise<Resolution> => {
    try {
      const records = await (version === 4 ? dns.resolve4(name, { ttl: true }) : dns.resolve6(name, { ttl: true }));
      return found(records);
    } catch (error) {
      const code = codeOf(error);
      return NO_RECORDS.has(code) ? NONE : { kind: 'failed', reason: `${name}: ${code}` };
    }
  };

  const fromSystem = async (name: string, family: DnsFamily): Promise<Resolution> => {
    try {
      const answers = await lookup(name, family === 'v4-only' ? 4 : family === 'v6-only' ? 6 : 0);
      const version = family === 'v4-preferred' ? 4 : 6;
      const first = answers.filter((answer) => answer.family === version);
      const chosen = family === 'all' || first.length === 0 ? answers : first;
      if (chosen.length === 0) return NONE;
      return { kind: 'addresses', addresses: chosen.map(({ address }) => address), ttlMs: undefined };
    } catch (error) {
      return { kind: 'failed', reason: `${name}: ${codeOf(error)}` };
    }
  };

  const fromDns = async (name: string, family: DnsFamily): Promise<Resolution> => {
    switch (family) {
      case 'v4-only':
        return query(name, 4);
      case 'v6-only':
        return query(name, 6);
      case 'all':
        return both(...(await Promise.all([query(name, 4), query(name, 6)])));
      default: {
        // Envoy DnsLookupFamily: AUTO asks for IPv6 first, V4_PREFERRED for IPv4, the other where that has nothing.
        const first = await query(name, family === 'auto' ? 6 : 4);
        return first.kind === 'addresses' ? first : both(first, await query(name, family === 'auto' ? 4 : 6));
      }
    }
  };

  return async (name: string, family: DnsFamily): Promise<Resolution> => {
    // A name of one label is nothing that DNS itself would know.
    if (!name.includes('.') || LOCAL.test(name)) return fromSystem(name, family);
    const answer = await fromDns(name, family);
    if (answer.kind === 'addresses' || (answer.kind === 'failed' && !answer.reason.endsWith(NO_SERVER))) return answer;
    const system = await fromSystem(name, family);
    return system.kind === 'addresses' ? system : answer;
  };
}

const LOCAL = /(?:^|\.)localhost\.?$/i;
/** The answer that there is none (Envoy's resolver: ARES_ENODATA, ARES_ENOTFOUND). */
const NO_RECORDS: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA']);
const NO_SERVER = 'ECONNREFUSED';
const NONE: Resolution = { kind: 'none' };

function found(records: readonly RecordWithTtl[]): Resolution {
  if (records.length === 0) return NONE;
  const ttlMs = records.reduce((least, { ttl }) => Math.min(least, ttl), Number.POSITIVE_INFINITY) * 1_000;
  return { kind: 'addresses', addresses: records.map(({ address }) => address), ttlMs };
}

function both(one: Resolution, other: Resolution): Resolution {
  if (one.kind === 'addresses' && other.kind === 'addresses') {
    const ttlMs = Math.min(one.ttlMs ?? 0, other.ttlMs ?? 0);
    return { kind: 'addresses', addresses: [...one.addresses, ...other.addresses], ttlMs };
  }
  if (one.kind === 'addresses') return one;
  if (other.kind === 'addresses') return other;
  return one.kind === 'failed' ? one : other;
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : String(error);

const systemLookup = (name: string, family: 0 | 4 | 6): Promise<LookupAddress[]> =>
  process.getBuiltinModule('node:dns').promises.lookup(name, { all: true, family, order: 'verbatim' });
