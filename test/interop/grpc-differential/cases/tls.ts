import type { JsonObject } from '@bufbuild/protobuf';
import type { GrpcCase } from '../case.ts';
import { idOf } from '../certificates.ts';
import { typed } from '../resources.ts';
import { HANG_MS } from './pieces.ts';

const UPSTREAM = 'transport_sockets.tls.v3.UpstreamTlsContext';
const instance = (name = 'default'): JsonObject => ({ instance_name: name, certificate_name: 'default' });
const socket = (fields: JsonObject): JsonObject => ({
  transport_socket: { name: 'envoy.transport_sockets.tls', typed_config: typed(UPSTREAM, fields) },
});

/** Certificates from the bootstrap's provider, by the names of fields that are in use now. */
const context = (match_typed_subject_alt_names: readonly JsonObject[], more: JsonObject = {}): JsonObject =>
  socket({
    common_tls_context: {
      tls_certificate_provider_instance: { instance_name: 'default', certificate_name: 'default' },
      validation_context: { ca_certificate_provider_instance: instance(), ...sans(match_typed_subject_alt_names) },
      ...more,
    },
  });
const sans = (list: readonly JsonObject[]): JsonObject =>
  list.length === 0 ? {} : { match_subject_alt_names: [...list] };

const tls = (name: string, rule: string, fields: JsonObject, more: Partial<GrpcCase> = {}): GrpcCase => ({
  name: `tls-${name}`,
  area: 'TLS',
  rule,
  hosts: [
    { name: 'a', account: 'echo' },
    { name: 'b', account: 'other' },
  ],
  tls: true,
  clusters: { a: { hosts: ['a'], fields } },
  steps: [{ timeoutMs: HANG_MS }],
  ...more,
});
const name = (...list: readonly JsonObject[]): JsonObject => context(list);
const ECHO = idOf('echo');

export const TLS: readonly GrpcCase[] = [
  tls('exact', 'the SPIFFE id is the one that is said', name({ exact: ECHO })),
  tls('other', 'the SPIFFE id is another: no connection', name({ exact: idOf('ratings') })),
  tls('several', 'one of several names is enough', name({ exact: idOf('ratings') }, { exact: ECHO })),
  tls('prefix', 'a prefix', name({ prefix: 'spiffe://test/ns/shop/' })),
  tls('suffix', 'a suffix', name({ suffix: '/sa/echo' })),
  tls('contains', '`contains`', name({ contains: '/ns/shop/' })),
  tls('regex', 'a regex of the whole name', name({ safe_regex: { regex: 'spiffe://test/.*/echo' } })),
  tls('regex-part', 'a regex of a part of the name is none', name({ safe_regex: { regex: 'ns/shop' } })),
  tls('case', '`ignore_case`', name({ exact: ECHO.toUpperCase(), ignore_case: true })),
  tls('dns', 'a DNS name', name({ exact: 'echo.shop.test' })),
  tls('dns-case', 'a DNS name has no case', name({ exact: 'ECHO.shop.test' })),
  tls('any', 'no name is said: any certificate of the CA', name()),
  tls(
    'old-names',
    'only the deprecated names of the provider fields',
    socket({
      common_tls_context: {
        tls_certificate_certificate_provider_instance: instance(),
        combined_validation_context: {
          default_validation_context: sans([{ exact: ECHO }]),
          validation_context_certificate_provider_instance: instance(),
        },
      },
    }),
    {},
  ),
  tls(
    'both-names',
    'old and new names of the provider fields, as Istio sends them',
    socket({
      common_tls_context: {
        tls_certificate_provider_instance: instance(),
        tls_certificate_certificate_provider_instance: instance(),
        combined_validation_context: {
          default_validation_context: { ca_certificate_provider_instance: instance(), ...sans([{ exact: ECHO }]) },
          validation_context_certificate_provider_instance: instance(),
        },
      },
    }),
  ),
  tls(
    'sds',
    'secrets of SDS are refused',
    socket({
      common_tls_context: {
        tls_certificate_sds_secret_configs: [{ name: 'default', sds_config: { ads: {} } }],
        validation_context_sds_secret_config: { name: 'ROOTCA', sds_config: { ads: {} } },
      },
    }),
    {},
  ),
  tls(
    'provider-unknown',
    'a provider that the bootstrap has not is refused',
    socket({
      common_tls_context: {
        tls_certificate_provider_instance: instance('elsewhere'),
        validation_context: { ca_certificate_provider_instance: instance('elsewhere') },
      },
    }),
  ),
  tls(
    'no-validation',
    'a context without roots is refused',
    socket({ common_tls_context: { tls_certificate_provider_instance: instance() } }),
  ),
  tls('params', '`tls_params` are refused', context([], { tls_params: { tls_minimum_protocol_version: 'TLSv1_3' } })),
  tls(
    'spki',
    '`verify_certificate_spki` is refused',
    socket({
      common_tls_context: {
        validation_context: {
          ca_certificate_provider_instance: instance(),
          verify_certificate_spki: ['NvqYIYSbgK2vCJpQhObf77vv+bQWtc5ek5RIOwPiC9A='],
        },
      },
    }),
  ),
  tls(
    'crl',
    'a CRL is refused',
    socket({
      common_tls_context: {
        validation_context: { ca_certificate_provider_instance: instance(), crl: { inline_string: 'none' } },
      },
    }),
  ),
  tls(
    'no-certificate',
    'no certificate of its own, though the server wants one',
    socket({
      common_tls_context: {
        validation_context: { ca_certificate_provider_instance: instance(), ...sans([{ exact: ECHO }]) },
      },
    }),
  ),
  tls(
    'sni',
    '`sni` is taken',
    socket({
      sni: 'echo.shop.test',
      common_tls_context: {
        tls_certificate_provider_instance: instance(),
        validation_context: { ca_certificate_provider_instance: instance(), ...sans([{ exact: ECHO }]) },
      },
    }),
  ),
  tls('plain-server', 'a server that speaks no TLS', name({ exact: ECHO }), { hosts: ['a', 'b'] }),
  tls('plain-context', 'a cluster without a context is called in plain text', {}, { hosts: ['a', 'b'] }),
  tls(
    'http-proxy',
    'a transport socket of another kind is refused',
    {
      transport_socket: { name: 'x', typed_config: typed('transport_sockets.raw_buffer.v3.RawBuffer') },
    },
    { hosts: ['a', 'b'] },
  ),
  tls('two', 'two clusters of two identities', name({ exact: ECHO }), {
    clusters: {
      a: { hosts: ['a'], fields: name({ exact: ECHO }) },
      b: { hosts: ['b'], fields: name({ exact: idOf('other') }) },
    },
    routes: [
      { match: { prefix: '/test.A/' }, route: { cluster: 'a' } },
      { match: { prefix: '' }, route: { cluster: 'b' } },
    ],
    steps: [{ path: '/test.A/x' }, { path: '/test.B/x' }],
  }),
];
