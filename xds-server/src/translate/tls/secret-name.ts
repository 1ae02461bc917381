/** Names of Secret resources as Istio gives them (pkg/model/credentials). */

const KUBERNETES = 'kubernetes://';
const ROOTS_SUFFIX = '-cacert';

/** A credentialName may be written with its scheme. */
const withScheme = (credentialName: string): string =>
  credentialName.startsWith(KUBERNETES) ? credentialName : `${KUBERNETES}${credentialName}`;

export const certificateResource = (credentialName: string): string => withScheme(credentialName);

export const rootsResource = (credentialName: string): string => `${withScheme(credentialName)}${ROOTS_SUFFIX}`;

/** Where a Secret resource comes from; undefined = it is no Kubernetes Secret, or not this namespace's. */
export interface SecretRef {
  readonly part: 'certificate' | 'roots';
  /** Names of Secrets, the first that is there counts. */
  readonly names: readonly string[];
}

/** `kubernetes://NAME` and `kubernetes://NAMESPACE/NAME`; nobody is given what is in another namespace than its own. */
export const secretRef = (resource: string, namespace: string): SecretRef | undefined => {
  if (!resource.startsWith(KUBERNETES)) return undefined;
  const [first = '', second, ...more] = resource.slice(KUBERNETES.length).split('/');
  if (more.length > 0 || (second !== undefined && first !== namespace)) return undefined;
  const name = second ?? first;
  if (!name.endsWith(ROOTS_SUFFIX)) return { part: 'certificate', names: [name] };
  // A Secret of its own for the roots comes first (Istio kube.GetCaCert).
  return { part: 'roots', names: [name, name.slice(0, -ROOTS_SUFFIX.length)] };
};
