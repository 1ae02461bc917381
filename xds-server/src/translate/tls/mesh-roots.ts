import { SPIFFECertValidatorConfigSchema } from '@inmesh/sdk/internal/gen/tls';
import type { CaCertificate } from '../../schema/spec/mesh-config.ts';
import type { MeshSettings } from '../mesh-settings.ts';
import { packAny } from '../proto.ts';
import { sortedEntries } from '../sorted.ts';
import type { World } from '../world.ts';
import type { ValidationInit } from './mesh-tls.ts';

/** What the control plane's CA signs with, and what it took back; set by whoever runs one. */
export interface TrustBundle {
  /** PEM, of the mesh's own trust domain; several while a root is replaced. */
  readonly roots: readonly string[];
  /** PEM. */
  readonly crl?: string;
}

export const sameBundle = (a: TrustBundle | undefined, b: TrustBundle | undefined): boolean =>
  a === b ||
  (a !== undefined &&
    b !== undefined &&
    a.crl === b.crl &&
    a.roots.length === b.roots.length &&
    a.roots.every((root, index) => root === b.roots[index]));

/**
 * Whom a workload trusts (SDS `ROOTCA`). Where names of other trust domains count, the roots stand by trust domain too: a
 * root of one must not vouch for another (SPIFFE Federation; Envoy SPIFFECertValidatorConfig).
 */
export const meshRoots = (world: World): ValidationInit | undefined => {
  const mesh = world.mesh();
  const bundle = world.trustBundle();
  if (bundle === undefined || mesh.plaintext) return undefined;
  const domains = rootsByTrustDomain(mesh, bundle);
  const own = domains.get(mesh.trustDomain.toLowerCase()) ?? [];
  return {
    trustedCa: inline(joined(own)),
    ...(bundle.crl !== undefined && { crl: inline(bundle.crl) }),
    ...(domains.size > 1 && { customValidatorConfig: spiffe(domains) }),
  };
};

/** An alias is ours under another name; roots that name no trust domain are everybody's (MeshConfig.CertificateData). */
const rootsByTrustDomain = (mesh: MeshSettings, bundle: TrustBundle): ReadonlyMap<string, readonly string[]> => {
  const domains = new Map<string, string[]>();
  for (const domain of [mesh.trustDomain, ...mesh.trustDomainAliases])
    domains.set(domain.toLowerCase(), [...bundle.roots]);
  const named = mesh.caCertificates.filter(({ pem }) => pem !== undefined);
  for (const { pem, trustDomains } of named) {
    for (const domain of trustDomains) addRoot(domains, domain.toLowerCase(), pem);
  }
  for (const { pem } of named.filter(isEverybodys)) for (const domain of domains.keys()) addRoot(domains, domain, pem);
  return domains;
};

const isEverybodys = ({ trustDomains }: CaCertificate): boolean => trustDomains.length === 0;

const addRoot = (domains: Map<string, string[]>, domain: string, pem = ''): void => {
  const roots = domains.get(domain) ?? [];
  if (!roots.includes(pem)) roots.push(pem);
  domains.set(domain, roots);
};

const spiffe = (
  domains: ReadonlyMap<string, readonly string[]>,
): NonNullable<ValidationInit['customValidatorConfig']> => ({
  name: 'envoy.tls.cert_validator.spiffe',
  typedConfig: packAny(SPIFFECertValidatorConfigSchema, {
    trustDomains: sortedEntries(domains).map(([name, roots]) => ({ name, trustBundle: inline(joined(roots)) })),
  }),
});

/** PEM blocks one after another, each on lines of its own. */
const joined = (roots: readonly string[]): string => roots.map((pem) => `${pem.trim()}\n`).join('');

const inline = (value: string) => ({ specifier: { case: 'inlineString', value } }) as const;
