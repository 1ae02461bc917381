export type X509Library = typeof import('@peculiar/x509');

let loading: Promise<X509Library> | undefined;

/** Loaded when the first certificate is made: 150 ms of CPU that a control plane without a CA does not pay. */
export function loadX509(): Promise<X509Library> {
  loading ??= import('reflect-metadata').then(() => import('@peculiar/x509'));
  return loading;
}
