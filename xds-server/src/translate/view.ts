import type { EndpointLocality } from '../registry/read-model.ts';
import { TLS_MODE_LABEL } from '../registry/tls-mode.ts';
import type { Ability, GrpcClient } from './client/grpc-client.ts';
import { sortedEntries } from './sorted.ts';

/**
 * An equivalence class of clients: whoever has the same View gets the same bytes. `labels` may be those of the whole
 * workload; a snapshot keeps only the ones that some rule reads, or every pod template hash were a View.
 */
export interface View {
  readonly kind: 'sdk' | 'grpc' | 'envoy';
  readonly namespace: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly locality: EndpointLocality;
  /** Which gRPC it is: for what is said of it, never for what it is told. */
  readonly client?: GrpcClient;
  /** Of a gRPC client, sorted; none is what all of them have. */
  readonly abilities?: readonly Ability[];
}

export const NO_LOCALITY: EndpointLocality = { region: '', zone: '', subZone: '' };

/** What rules look at in a client; its place counts only for clusters that spread by it, which are told one by one. */
export interface Relevance {
  readonly labelKeys: ReadonlySet<string>;
}

/** The View without what no rule reads. */
export const canonicalView = (view: View, relevance: Relevance): View => ({
  kind: view.kind,
  namespace: view.namespace,
  // A gRPC server is told by this label whether it takes TLS (Istio grpcgen).
  labels: new Map(
    sortedEntries(view.labels).filter(
      ([key]) => relevance.labelKeys.has(key) || (view.kind === 'grpc' && key === TLS_MODE_LABEL),
    ),
  ),
  locality: view.locality,
  ...(view.kind === 'grpc' && view.abilities && view.abilities.length > 0 ? { abilities: view.abilities } : {}),
});

/** One line of text, the same for equal Views, from which `viewOfKey` makes the View again. */
export const viewKey = ({ kind, namespace, labels, locality, abilities = [] }: View): string =>
  JSON.stringify([kind, namespace, sortedEntries(labels), locality, abilities]);

export const viewOfKey = (key: string): View => {
  // Text that viewKey has written.
  const [kind, namespace, labels, locality, abilities]: KeyParts = JSON.parse(key);
  return { kind, namespace, labels: new Map(labels), locality, ...(abilities.length > 0 && { abilities }) };
};

type KeyParts = [View['kind'], string, [string, string][], EndpointLocality, Ability[]];

/** Whether everything in `selector` is on the labels; an empty selector selects all. */
export const selects = (selector: ReadonlyMap<string, string>, labels: ReadonlyMap<string, string>): boolean => {
  for (const [key, value] of selector) if (labels.get(key) !== value) return false;
  return true;
};

/** exportTo: `*` wins over everything, `~` hides, `.` is the own namespace; nothing written is public (Istio visibility). */
export const isVisible = (exportTo: readonly string[], own: string, from: string): boolean => {
  if (exportTo.length === 0 || exportTo.includes('*')) return true;
  return exportTo.includes(from) || (exportTo.includes('.') && own === from);
};
