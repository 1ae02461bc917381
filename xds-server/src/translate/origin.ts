import type { ConfigObject, ObjectKey } from '../schema/types.ts';

/**
 * Where a part of a resource comes from: an object and a path in it. Never a line: translation does not see positions,
 * so a comment cannot change what it makes.
 */
export interface FieldRef {
  readonly object: ObjectKey;
  /** `VirtualService default/reviews` */
  readonly resource: string;
  /** `spec.http[0].match[1]`; empty for the object as a whole. */
  readonly fieldPath: string;
}

export const fieldRef = ({ key, kind, namespace, name }: ConfigObject, fieldPath: string): FieldRef => ({
  object: key,
  resource: `${kind} ${namespace}/${name}`,
  fieldPath,
});

/** The path Istio puts into `filter_metadata.istio.config`. */
export const configPath = ({ kind, namespace, name }: ConfigObject): string =>
  `/apis/${kind === 'PeerAuthentication' ? 'security' : 'networking'}.istio.io/v1/namespaces/${namespace}/${kind.replace(/(?!^)[A-Z]/g, '-$&').toLowerCase()}/${name}`;

/** A whole object by its key, `Kind/namespace/name`. */
export const objectRef = (key: ObjectKey): FieldRef => {
  const [kind = '', namespace = '', ...name] = key.split('/');
  return { object: key, resource: `${kind} ${namespace}/${name.join('/')}`, fieldPath: '' };
};
