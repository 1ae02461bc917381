import type { SecureContext } from 'node:tls';
import { type Clock, systemClock } from '../clock.ts';
import type { DownstreamTls, UpstreamTls } from '../model/tls.ts';
import { type ClientTls, createClientTls } from './client-tls.ts';
import type { Identity } from './identity.ts';
import type { Secrets } from './secrets.ts';
import { type AcceptListener, createTlsAcceptor, type TlsAcceptor } from './server-tls.ts';
import { contextKey, contextOptions, type Material, type Missing, materialOf } from './tls-material.ts';

/** TLS of this process, both ways, with the certificates and roots that count at the moment. */
export interface TlsContexts {
  /** `dialled`: the name or address of the server, expected of it where the settings expect nothing else. */
  client(tls: UpstreamTls, dialled: string): ClientTls | Missing;
  /** One for each way a port takes TLS; it follows changes of the identity by itself. */
  server(tls: DownstreamTls, on: AcceptListener): TlsAcceptor;
}

type End = UpstreamTls | DownstreamTls;

/** Settings whose contexts are kept; those of more are built anew. */
const MOST_KEPT = 256;

interface Kept {
  readonly stamp: string;
  readonly context: SecureContext;
}

/** One context for each identity generation and settings: building one costs far more than a connection's use of it. */
export function createTlsContexts(identity: Identity, secrets: Secrets, clock: Clock = systemClock): TlsContexts {
  const sources = { identity, secrets };
  const kept = new Map<string, Kept>();
  const keys = new WeakMap<End, string>();

  function keyOf(tls: End): string {
    let key = keys.get(tls);
    if (key === undefined) {
      key = contextKey(tls);
      keys.set(tls, key);
    }
    return key;
  }

  function contextOf(tls: End, material: Material): SecureContext | Missing {
    const settings = keyOf(tls);
    const before = kept.get(settings);
    if (before?.stamp === material.stamp) return before.context;
    const { createSecureContext } = process.getBuiltinModule('node:tls');
    try {
      const context = createSecureContext(contextOptions(tls, material));
      if (kept.size >= MOST_KEPT) kept.delete(kept.keys().next().value ?? '');
      kept.set(settings, { stamp: material.stamp, context });
      return context;
    } catch (error) {
      // OpenSSL's words name the kind of fault and never hold the key.
      return { missing: `certificate, key or roots cannot be used: ${error instanceof Error ? error.message : error}` };
    }
  }

  return {
    client(tls, dialled) {
      const material = materialOf(tls, sources);
      if ('missing' in material) return material;
      const context = contextOf(tls, material);
      if ('missing' in context) return context;
      const key = connectionKey(tls, dialled, material, keyOf(tls));
      const now = (): Material | Missing => materialOf(tls, sources);
      return createClientTls({ tls, dialled, key, context, trust: material.trust.kind, material: now, clock });
    },
    server(tls, on) {
      const context = (material: Material): SecureContext | Missing => contextOf(tls, material);
      return createTlsAcceptor({ tls, on, material: () => materialOf(tls, sources), context, clock });
    },
  };
}

function connectionKey(tls: UpstreamTls, dialled: string, { stamp, trust }: Material, settings: string): string {
  const names = tls.subjectAltNames.map(({ type = '', kind, value, ignoreCase = '' }) => [
    type,
    kind,
    value,
    ignoreCase,
  ]);
  // In the mesh the name that was dialled is not verified, and makes no difference.
  const name = tls.sni ?? (trust.kind === 'mesh' ? '' : dialled);
  return JSON.stringify([settings, stamp, name, tls.alpn, names]);
}
