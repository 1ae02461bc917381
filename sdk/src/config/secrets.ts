import type { Discovery, ResourceWatcher } from '../discovery/discovery.ts';
import type { Secrets, SecretValue } from '../identity/secrets.ts';
import type { EventSink } from '../model/events.ts';
import type { Secret } from '../model/secret.ts';
import { secretType } from '../resource/tls/secret.ts';

/** Secrets that clusters and listeners name, each asked for as long as somebody holds it. What was good stays. */
export interface LiveSecrets extends Secrets {
  hold(name: string, holder: SecretHolder): void;
  release(name: string, holder: SecretHolder): void;
  /** It has come, or the control plane has said that it will not. */
  isSettled(name: string): boolean;
  /** Told after each change of any. */
  onChange(listener: () => void): () => void;
}

export interface SecretHolder {
  secretChanged(): void;
}

export interface SecretsParts {
  readonly discovery: Discovery;
  readonly emit: EventSink;
}

export function createSecrets(parts: SecretsParts): LiveSecrets {
  const held = new Map<string, SecretWatch>();
  const listeners = new Set<() => void>();
  const changed = (): void => {
    for (const listener of [...listeners]) listener();
  };
  return {
    get: (name) => held.get(name)?.value,
    isSettled: (name) => held.get(name)?.isSettled === true,
    hold(name, holder) {
      const watch = held.get(name) ?? new SecretWatch(name, parts, changed);
      held.set(name, watch);
      watch.holders.add(holder);
    },
    release(name, holder) {
      const watch = held.get(name);
      if (watch === undefined || !watch.holders.delete(holder) || watch.holders.size > 0) return;
      held.delete(name);
      watch.close();
    },
    onChange(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}

/** Over all secrets: one that was let go and comes back is not taken for the one it was. */
let generation = 0;

class SecretWatch implements ResourceWatcher<Secret> {
  readonly name: string;
  readonly holders = new Set<SecretHolder>();
  value: SecretValue | undefined;
  isSettled = false;
  readonly #parts: SecretsParts;
  readonly #changed: () => void;

  constructor(name: string, parts: SecretsParts, changed: () => void) {
    this.name = name;
    this.#parts = parts;
    this.#changed = changed;
    parts.discovery.subscribe(secretType, name, this);
  }

  close(): void {
    this.#parts.discovery.unsubscribe(secretType, this.name, this);
  }

  onResource(secret: Secret): void {
    try {
      this.value = { generation: ++generation, ...secretValue(secret) };
      this.#settle();
    } catch (error) {
      // A file it names: the message names the file, never what stands in it.
      this.onError(error instanceof Error ? error.message : String(error));
    }
  }

  /** As of endpoints, a removal is no news (Envoy SDS): what is in use stays. */
  onAbsent(reason: string): void {
    this.onError(reason);
  }

  onError(reason: string): void {
    const what = this.value === undefined ? 'connections that need it fail' : 'the last one stays';
    this.#parts.emit({ kind: 'warning', message: `secret ${this.name}: ${reason}; ${what}` });
    this.#settle();
  }

  #settle(): void {
    this.isSettled = true;
    for (const holder of [...this.holders]) holder.secretChanged();
    this.#changed();
  }
}

function secretValue(secret: Secret): Omit<SecretValue, 'generation'> {
  if (secret.kind === 'unused') return {};
  if (secret.kind === 'certificate') {
    const { certificate: held } = secret;
    const [chain, key] =
      held.kind === 'inline' ? [held.certificate, held.key] : [read(held.certificate), read(held.key)];
    // Loaded with the first key.
    const { createPrivateKey } = process.getBuiltinModule('node:crypto');
    return { certificate: { chain, key: createPrivateKey(key) } };
  }
  const { crl, roots } = secret;
  const revoked = crl === undefined ? [] : [crl.kind === 'inline' ? crl.pem : read(crl.path)];
  switch (roots.kind) {
    case 'inline':
      return { roots: { pems: [roots.pem], revoked } };
    case 'file':
      return { roots: { pems: [read(roots.path)], revoked } };
    case 'system':
      return { roots: { pems: [...process.getBuiltinModule('node:tls').rootCertificates], revoked } };
    case 'bundles': {
      const byTrustDomain = new Map([...roots.bundles].map(([name, pem]) => [name, [pem]] as const));
      return { roots: { pems: [...roots.bundles.values()], byTrustDomain, revoked } };
    }
  }
}

const read = (path: string): string => process.getBuiltinModule('node:fs').readFileSync(path, 'utf8');
