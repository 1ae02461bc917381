import { type DescMessage, fromJson, type JsonObject, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { mutateBytes, mutateTree } from '../../../../test/fuzz/mutate.ts';
import { seededRandom } from '../../../../test/harness/seeded-random.ts';
import { ClusterSchema } from '../../../gen/cluster.js';
import { ListenerSchema } from '../../../gen/listener.js';
import { registry } from '../../../gen/registry.js';
import { SecretSchema } from '../../../gen/tls.js';
import { TEST_CERTIFICATE, TEST_KEY } from '../../connection/certificates.fixture.ts';
import { clusterType } from '../cluster/cluster.ts';
import { listenerType } from '../listener/listener.ts';
import type { ResourceType } from '../resource-type.ts';
import { secretType } from './secret.ts';

const TLS = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3';
const NETWORK = 'type.googleapis.com/envoy.extensions.filters.network';
const inline = (inlineString: string): JsonObject => ({ inlineString });
const pair: JsonObject = { certificateChain: inline(TEST_CERTIFICATE), privateKey: inline(TEST_KEY) };
const common: JsonObject = {
  tlsParams: { tlsMinimumProtocolVersion: 'TLSv1_2', cipherSuites: ['ECDHE-RSA-AES128-GCM-SHA256'] },
  tlsCertificates: [pair],
  combinedValidationContext: {
    defaultValidationContext: {
      matchTypedSubjectAltNames: [{ sanType: 'URI', matcher: { safeRegex: { regex: 'spiffe://a/.*' } } }],
      verifyCertificateSpki: [`${'A'.repeat(43)}=`],
      crl: { filename: '/crl' },
    },
    validationContextSdsSecretConfig: { name: 'ROOTCA' },
  },
};
const upstream = {
  name: 'tls',
  typedConfig: { '@type': `${TLS}.UpstreamTlsContext`, sni: 'a', commonTlsContext: common },
};
const manager = {
  '@type': `${NETWORK}.http_connection_manager.v3.HttpConnectionManager`,
  forwardClientCertDetails: 'APPEND_FORWARD',
  routeConfig: {
    virtualHosts: [{ name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, nonForwardingAction: {} }] }],
  },
  httpFilters: [
    { name: 'r', typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' } },
  ],
};

const SEEDS: readonly [string, ResourceType<unknown>, DescMessage, JsonObject][] = [
  ['a certificate', secretType, SecretSchema, { name: 's', tlsCertificate: pair }],
  [
    'roots',
    secretType,
    SecretSchema,
    {
      name: 's',
      validationContext: {
        trustedCa: inline(TEST_CERTIFICATE),
        customValidatorConfig: {
          name: 'v',
          typedConfig: {
            '@type': `${TLS}.SPIFFECertValidatorConfig`,
            trustDomains: [{ name: 'td', trustBundle: inline(TEST_CERTIFICATE) }],
          },
        },
      },
    },
  ],
  [
    'a cluster',
    clusterType,
    ClusterSchema,
    {
      name: 'c',
      type: 'EDS',
      edsClusterConfig: { edsConfig: { ads: {} } },
      transportSocket: upstream,
      transportSocketMatches: [{ name: 'm', match: { tlsMode: 'istio' }, transportSocket: upstream }],
    },
  ],
  [
    'a listener',
    listenerType,
    ListenerSchema,
    {
      name: 'l',
      address: { socketAddress: { address: '0.0.0.0', portValue: 80 } },
      filterChains: [
        {
          name: 'c',
          filterChainMatch: { transportProtocol: 'tls', applicationProtocols: ['istio'] },
          filters: [{ name: 'h', typedConfig: manager }],
        },
      ],
    },
  ],
];

/** Some line of the key's body. */
const secretText = TEST_KEY.split('\n').slice(1, -2);

describe('spoilt TLS settings', () => {
  it.each(SEEDS)('of %s are read or refused, and no key is ever said', (_, type, schema, json) => {
    const random = seededRandom(7);
    const good = toBinary(schema, fromJson(schema, json, { registry }));
    expect(type.decode(good)).toHaveProperty('ok');
    let refused = 0;
    for (let count = 0; count < 500; count++) {
      const decoded = type.decode(spoilt(schema, json, good, count, random));
      if ('ok' in decoded) continue;
      refused++;
      const said = decoded.errors.join('\n');
      for (const line of secretText) expect(said).not.toContain(line);
    }
    expect(refused).toBeGreaterThan(0);
  });
});

function spoilt(
  schema: DescMessage,
  json: JsonObject,
  good: Uint8Array,
  count: number,
  random: () => number,
): Uint8Array {
  if (count % 2 === 0) return mutateBytes(good, random);
  try {
    return toBinary(schema, fromJson(schema, mutateTree(json as never, random) as never, { registry }));
  } catch {
    // Not even JSON of such a message.
    return mutateBytes(good, random);
  }
}
