import { xxHash64 } from '../balancer/hash/xx-hash-64.ts';
import type { Random } from '../clock.ts';
import { cookieOf } from '../match/cookie.ts';
import { requestHeaderValues } from '../match/headers.ts';
import { queryParameter } from '../match/query.ts';
import type { Hash64 } from '../model/hash.ts';
import type { MeshRequest } from '../model/request.ts';
import { setCookie } from './cookie.ts';
import type { CompiledHashPolicy } from './table.ts';

export interface HashContext {
  readonly request: MeshRequest;
  /** The caller's own address; none in process, unless the caller says who it acts for. */
  readonly sourceIp?: string;
  /** Of the gRPC channel the call is of. */
  readonly channel?: Hash64;
  /** Makes the value of a cookie that a policy generates; without it, such a policy has no hash. */
  readonly random: Random | undefined;
}

export interface RequestHash {
  readonly hash: Hash64 | undefined;
  /** `set-cookie` values for the response, one for each policy that made a cookie. */
  readonly setCookies?: readonly string[];
}

const NO_HASH: RequestHash = { hash: undefined };

/**
 * Envoy HashPolicyImpl::generateHash: each policy that has a hash is mixed in as `rotl1(hash) ^ next`; a terminal one
 * ends the list once there is a hash.
 */
export function requestHash(policies: readonly CompiledHashPolicy[], context: HashContext): RequestHash {
  if (policies.length === 0) return NO_HASH;
  let hash: Hash64 | undefined;
  let setCookies: string[] | undefined;
  for (const policy of policies) {
    let next = hashOf(policy, context);
    if (policy.kind === 'cookie' && next === undefined && policy.ttlMs !== undefined && context.random) {
      const value = cookieText(context.random);
      setCookies = [...(setCookies ?? []), setCookie(policy, value)];
      next = xxHash64(value);
    }
    if (next !== undefined) hash = combine(hash, next);
    if (policy.terminal && hash !== undefined) break;
  }
  return setCookies === undefined ? { hash } : { hash, setCookies };
}

type HeaderPolicy = Extract<CompiledHashPolicy, { readonly kind: 'header' }>;
type TextPolicy = Exclude<CompiledHashPolicy, { readonly kind: 'header' | 'channel' }>;

function hashOf(policy: CompiledHashPolicy, context: HashContext): Hash64 | undefined {
  if (policy.kind === 'header') return headerHash(policy, context.request);
  return policy.kind === 'channel' ? context.channel : textHash(hashedText(policy, context));
}

function hashedText(policy: TextPolicy, { request, sourceIp }: HashContext): string | undefined {
  switch (policy.kind) {
    case 'cookie':
      return cookieOf(request.headers, policy.name) || undefined;
    case 'query-parameter':
      return queryParameter(request.path, policy.name);
    case 'source-ip':
      return sourceIp || undefined;
  }
}

const textHash = (text: string | undefined): Hash64 | undefined => (text === undefined ? undefined : xxHash64(text));

/**
 * Envoy HeaderHashMethod: values are rewritten, then sorted, so that their order is no matter; each is hashed with the
 * hash of those before it as the seed.
 */
function headerHash({ name, rewrite }: HeaderPolicy, request: MeshRequest): Hash64 | undefined {
  const values = requestHeaderValues(request, name);
  const texts =
    rewrite === undefined ? [...values] : values.map((value) => rewrite.regex.replaceAll(value, rewrite.substitution));
  let hash: Hash64 | undefined;
  for (const text of texts.sort()) hash = xxHash64(text, hash);
  return hash;
}

const hex32 = (value: number): string => value.toString(16).padStart(8, '0');

/** 64 random bits in hexadecimal, the form of Envoy's own. */
const cookieText = (random: Random): string => hex32(random()) + hex32(random());

function combine(hash: Hash64 | undefined, next: Hash64): Hash64 {
  if (hash === undefined) return next;
  const { hi, lo } = hash;
  return { hi: (((hi << 1) | (lo >>> 31)) ^ next.hi) >>> 0, lo: (((lo << 1) | (hi >>> 31)) ^ next.lo) >>> 0 };
}
