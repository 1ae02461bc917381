import type { AnyObject, ConfigObject } from '../schema/types.ts';

/** How objects of the registry name each other. */

export type AddressList = ConfigObject<'EndpointSlice'> | ConfigObject<'Endpoints'>;

export const podName = (namespace: string, name: string): string => `${namespace}|Pod|${name}`;

export const addressName = (namespace: string, address: string): string => `${namespace}|${address}`;

/** Nodes on which an object runs, or its addresses do. */
export const nodesOf = (object: AnyObject): ReadonlySet<string> => {
  const names =
    object.kind === 'Pod'
      ? [object.spec.nodeName]
      : object.kind === 'EndpointSlice'
        ? object.spec.endpoints.map(({ nodeName }) => nodeName)
        : object.kind === 'Endpoints'
          ? object.spec.subsets.flatMap(({ addresses, notReadyAddresses }) =>
              [...addresses, ...notReadyAddresses].map(({ nodeName }) => nodeName),
            )
          : [];
  return new Set(names.filter((name) => name !== undefined));
};

/** Names under which the addresses of a slice may be known as instances. */
export function* referredNames(object: AddressList): Generator<string> {
  const endpoints =
    object.kind === 'EndpointSlice'
      ? object.spec.endpoints
      : object.spec.subsets
          .flatMap((subset) => [...subset.addresses, ...subset.notReadyAddresses])
          .map((address) => ({ ...address, addresses: [address.ip] }));
  for (const { addresses, targetRef } of endpoints) {
    const namespace = targetRef?.namespace ?? object.namespace;
    if (targetRef?.name !== undefined) yield podName(namespace, targetRef.name);
    for (const address of addresses) yield addressName(namespace, address);
  }
}
