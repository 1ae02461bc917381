import type { AnyObject, ConfigObject } from '../schema/types.ts';

/** A Pod that has not ended, whether it has an address yet or not. */
export interface Pod {
  readonly namespace: string;
  readonly name: string;
  /** undefined: written by hand, without one. */
  readonly uid?: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly serviceAccount: string;
  /** undefined: not placed yet. */
  readonly node?: string;
}

export interface PodReads {
  /** undefined: there is none of this name, or it has ended. */
  pod(namespace: string, name: string): Pod | undefined;
  podsOn(node: string): readonly Pod[];
  /** Some Pod came, went or changed. */
  onPodsChange(listener: () => void): () => void;
}

/** A Pod that has ended stays in the API for a while; nothing runs as it. */
export const hasEnded = ({ status }: ConfigObject<'Pod'>): boolean =>
  status?.phase === 'Succeeded' || status?.phase === 'Failed';

export function podOf(object: AnyObject | undefined): Pod | undefined {
  if (object?.kind !== 'Pod' || hasEnded(object)) return undefined;
  const { namespace, name, uid, labels, spec } = object;
  return {
    namespace,
    name,
    labels,
    serviceAccount: spec.serviceAccountName ?? 'default',
    ...(uid !== undefined && { uid }),
    ...(spec.nodeName !== undefined && { node: spec.nodeName }),
  };
}
