/** Names as Istio gives them (pilot/pkg/model BuildSubsetKey, ResolveShortnameToFQDN). */

export interface ClusterKey {
  readonly port: number;
  /** Empty: all endpoints of the service. */
  readonly subset: string;
  readonly host: string;
}

/** `outbound|9080|v1|reviews.default.svc.cluster.local` */
export const clusterName = ({ port, subset, host }: ClusterKey): string => `outbound|${port}|${subset}|${host}`;

/** A proxyless client's route configuration is named like the cluster of the whole service. */
export const routeConfigurationName = (port: number, host: string): string => clusterName({ port, subset: '', host });

/** The same with `_`: what a mesh peer's certificate selection sees (Istio BuildDNSSrvSubsetKey). */
export const sniName = ({ port, subset, host }: ClusterKey): string => `outbound_.${port}_.${subset}_.${host}`;

export const parseClusterName = (name: string): ClusterKey | undefined => {
  const parts = name.split('|');
  const [direction, digits = '', subset = '', host = ''] = parts;
  const port = parsePort(digits);
  if (parts.length !== 4 || direction !== 'outbound' || port === undefined || host === '') return undefined;
  return { port, subset, host };
};

/** `host:port` or `[IPv6]:port`, as a client dials it; the host lower case, without brackets or a trailing dot. */
export const parseTarget = (target: string): { readonly host: string; readonly port: number } | undefined => {
  const colon = target.lastIndexOf(':');
  const port = parsePort(target.slice(colon + 1));
  if (colon <= 0 || port === undefined) return undefined;
  const written = target.slice(0, colon).toLowerCase();
  const bare = written.startsWith('[') && written.endsWith(']') ? written.slice(1, -1) : written;
  const host = bare.endsWith('.') ? bare.slice(0, -1) : bare;
  const ambiguous = host.includes(':') && bare === written;
  return host === '' || ambiguous ? undefined : { host, port };
};

const parsePort = (digits: string): number | undefined => {
  if (!/^[1-9]\d{0,4}$/.test(digits)) return undefined;
  const port = Number(digits);
  return port <= 65_535 ? port : undefined;
};

/** Dotted digits or anything with a colon: never a name to be completed. */
export const isIpLiteral = (host: string): boolean => host.includes(':') || /^\d{1,3}(\.\d{1,3}){3}$/.test(host);

/**
 * The host of a rule, completed: a name without a dot belongs to the rule's own namespace; anything with a dot is used as
 * written, so `reviews.default` names no service (Istio VirtualService.hosts).
 */
export const resolveHost = (host: string, namespace: string, clusterDomain: string): string => {
  const lower = host.toLowerCase();
  if (lower === '*' || lower.includes('.') || isIpLiteral(lower)) return lower;
  return `${lower}.${namespace}.svc.${clusterDomain}`;
};

/** `*` or `*.suffix` (Istio host.Name.IsWildCarded). */
export const isWildcard = (host: string): boolean => host.startsWith('*');

/** Whether `pattern` (exact, `*.suffix` or `*`) covers `host`, which may be a wildcard itself (Istio host.Name.SubsetOf). */
export const hostCovers = (pattern: string, host: string): boolean => {
  if (pattern === host) return true;
  if (!isWildcard(pattern)) return false;
  const suffix = pattern.slice(1);
  return isWildcard(host) ? host.slice(1).endsWith(suffix) : host.endsWith(suffix) && host.length > suffix.length;
};

/** Exact before wildcard, longer before shorter, then by name (Istio host.MoreSpecific). */
export const bySpecificity = (a: string, b: string): number =>
  Number(isWildcard(a)) - Number(isWildcard(b)) || b.length - a.length || compareText(a, b);

/** Code unit order: the same on every machine, unlike localeCompare. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * Registry host names that a client in `namespace` may mean by `host`, best first: a bare name is one of its own
 * namespace, `name.ns` and `name.ns.svc` are the aliases that Istio gives a virtual host's domains.
 */
export const hostCandidates = (host: string, namespace: string, clusterDomain: string): readonly string[] => {
  if (isIpLiteral(host)) return [host];
  const labels = host.split('.');
  if (labels.length === 1) return [`${host}.${namespace}.svc.${clusterDomain}`, host];
  if (labels.length === 2) return [host, `${host}.svc.${clusterDomain}`];
  if (labels.length === 3 && labels[2] === 'svc') return [host, `${host}.${clusterDomain}`];
  return [host];
};
