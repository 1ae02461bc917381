import type { RegistryReads } from '../registry/read-model.ts';

/** Whether somebody else than `namespace/service account` is known to run at an address; an unproven workload has no account. */
export function createAddressOwners(
  registry: RegistryReads,
  revision: () => string,
): (address: string, asker: string) => boolean {
  let known = '';
  let owners = new Map<string, Set<string>>();
  const read = (): void => {
    owners = new Map();
    for (const namespace of registry.workloadNamespaces()) {
      for (const { address, serviceAccount = '' } of registry.workloads(namespace)) {
        const at = owners.get(address) ?? new Set();
        owners.set(address, at.add(`${namespace}/${serviceAccount}`));
      }
    }
  };
  return (address, asker) => {
    // Made anew when it is asked of another revision.
    if (known !== revision()) {
      known = revision();
      read();
    }
    const found = owners.get(address);
    return found !== undefined && !found.has(asker);
  };
}
