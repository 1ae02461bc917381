import { nameFromTemplate } from '../model/resource-name.ts';
import type { Bootstrap } from './bootstrap.ts';

/** A target that says which control plane has it (gRFC A47), as the gRPC channel names it. */
const FEDERATED = /^xds:\/\/([^/]+)\/(.+)$/s;

/** The name of the listener of a target: by the template of its authority, else by that of all others (gRFC A47). */
export function listenerNameOf(
  { listenerTemplate, authorityTemplates }: Pick<Bootstrap, 'listenerTemplate' | 'authorityTemplates'>,
  target: string,
): string {
  const [, authority, name] = FEDERATED.exec(target) ?? [];
  if (authority === undefined || name === undefined) return nameFromTemplate(listenerTemplate, target);
  const own = authorityTemplates.get(authority) ?? `xdstp://${authority}/envoy.config.listener.v3.Listener/%s`;
  return nameFromTemplate(own, name);
}
