import type { KubernetesApi, KubernetesSecret } from '../kubernetes/api.ts';
import { ENTRY, type SecretStore } from './store.ts';

/** What of the Kubernetes API a CA in a Secret needs. */
export type SecretApi = Pick<KubernetesApi, 'getSecret' | 'putSecret'>;

/** istiod's own root; what an operator plugs in stands in the other. */
const SELF_SIGNED = 'istio-ca-secret';
const PLUGGED_IN = 'cacerts';
/** istiod's type of such a Secret. */
const TYPE = 'istio.io/ca-root';

/** Secrets of type kubernetes.io/tls, as cert-manager writes them, under Istio's names. */
const TLS_NAMES: readonly (readonly [string, string])[] = [
  ['tls.crt', ENTRY.certificate],
  ['tls.crt', ENTRY.chain],
  ['tls.key', ENTRY.key],
  ['ca.crt', ENTRY.roots],
];

/**
 * The Secret that istiod would take: `cacerts` where there is one, else `istio-ca-secret`, which is made where it is missing. Which
 * of them is settled now, as with istiod: a CA that is plugged in later is taken at the next start.
 */
export async function kubernetesStore(api: SecretApi, namespace = 'istio-system'): Promise<SecretStore> {
  const pluggedIn = await api.getSecret(namespace, PLUGGED_IN);
  return secretStore(api, namespace, pluggedIn === undefined ? SELF_SIGNED : PLUGGED_IN);
}

function secretStore(api: SecretApi, namespace: string, secret: string): SecretStore {
  return {
    name: `Secret ${namespace}/${secret}`,
    async read() {
      const found = await api.getSecret(namespace, secret);
      if (found === undefined) return undefined;
      const entries = entriesOf(found);
      return { entries, version: found.resourceVersion };
    },
    async write(entries, version) {
      const before = await api.getSecret(namespace, secret);
      if (before?.resourceVersion !== version) return 'conflict';
      const names: readonly string[] = Object.values(ENTRY);
      // What others keep in the Secret stays.
      const others = [...(before?.data ?? [])].filter(([name]) => !names.includes(name));
      const written = await api.putSecret(namespace, secret, {
        type: before?.type ?? TYPE,
        data: new Map([...others, ...[...entries].map(([name, text]) => [name, Buffer.from(text)] as const)]),
        ...(version === undefined ? {} : { resourceVersion: version }),
      });
      return written ? 'written' : 'conflict';
    },
  };
}

function entriesOf({ data }: KubernetesSecret): ReadonlyMap<string, string> {
  const text = (name: string): string => data.get(name)?.toString('utf8') ?? '';
  const own = Object.values(ENTRY).map((name) => [name, text(name)] as const);
  const tls = data.has(ENTRY.certificate) ? [] : TLS_NAMES.map(([from, to]) => [to, text(from)] as const);
  // istiod writes the names it does not use with nothing in them.
  return new Map([...own, ...tls].filter(([, value]) => value.trim() !== ''));
}
