import type { MessageTable } from './message-table.ts';

const TLS = 'envoy.extensions.transport_sockets.tls.v3';
const PROVIDERS = 'certificates and roots come from the providers of the bootstrap (A29)';
const A29 = 'it would have to be checked, and is not (A29)';
const SECRETS = 'no SDS: files of the bootstrap’s providers';
const NOBODY = 'a route that fails its calls and a cluster without endpoints, never clear text instead';

export const tls: MessageTable = {
  [`${TLS}.UpstreamTlsContext`]: {
    grpc: 'common_tls_context',
    partly: {
      sni: {
        go: { ignored: 'only where an environment variable asks for it (A101)' },
        core: { ignored: 'not implemented (A101)' },
        node: { ignored: 'not implemented (A101)' },
      },
    },
    rest: 'not read (A29)',
  },
  [`${TLS}.DownstreamTlsContext`]: {
    grpc: 'common_tls_context require_client_certificate',
    rejected: { [A29]: 'require_sni ocsp_staple_policy' },
    rest: 'not read (A29)',
  },
  [`${TLS}.CommonTlsContext`]: {
    grpc: 'tls_certificate_provider_instance validation_context combined_validation_context',
    partly: {
      tls_certificate_certificate_provider_instance: { node: { sentAs: 'the new field beside it' } },
      validation_context_certificate_provider_instance: { node: { sentAs: 'the new field beside it' } },
    },
    sentAs: { [NOBODY]: 'tls_certificates tls_certificate_sds_secret_configs validation_context_sds_secret_config' },
    rejected: {
      [PROVIDERS]: 'tls_certificate_certificate_provider validation_context_certificate_provider custom_handshaker',
      'versions are those of the implementation (A29)': 'tls_params',
    },
    rest: 'ALPN is h2 (A29)',
  },
  [`${TLS}.CommonTlsContext.CombinedCertificateValidationContext`]: {
    grpc: 'default_validation_context',
    partly: { validation_context_certificate_provider_instance: { node: { sentAs: 'the new field beside it' } } },
    sentAs: { [NOBODY]: 'validation_context_sds_secret_config' },
    rejected: { [PROVIDERS]: 'validation_context_certificate_provider' },
  },
  [`${TLS}.CommonTlsContext.CertificateProviderInstance`]: { grpc: 'instance_name certificate_name' },
  [`${TLS}.CertificateProviderPluginInstance`]: { grpc: 'instance_name certificate_name' },
  [`${TLS}.TlsParameters`]: { rest: 'versions are those of the implementation (A29)' },
  [`${TLS}.TlsCertificate`]: { rest: SECRETS },
  [`${TLS}.CertificateValidationContext`]: {
    grpc: 'ca_certificate_provider_instance match_subject_alt_names',
    partly: {
      system_root_certs: {
        go: { sentAs: NOBODY },
        core: { sentAs: NOBODY },
        node: { sentAs: NOBODY },
      },
      match_typed_subject_alt_names: { node: { ignored: 'not read: names are sent in match_subject_alt_names' } },
    },
    sentAs: { [NOBODY]: 'trusted_ca crl trust_chain_verification' },
    rejected: {
      [A29]: `verify_certificate_spki verify_certificate_hash require_signed_certificate_timestamp
        custom_validator_config`,
    },
    rest: 'not read (A29)',
  },
  [`${TLS}.CertificateValidationContext.SystemRootCerts`]: {},
  [`${TLS}.SubjectAltNameMatcher`]: { grpc: 'san_type matcher', rest: 'not read' },
  [`${TLS}.SPIFFECertValidatorConfig`]: { rest: 'trust bundles are those of the bootstrap (A87)' },
  [`${TLS}.SPIFFECertValidatorConfig.TrustDomain`]: { rest: 'trust bundles are those of the bootstrap (A87)' },
  [`${TLS}.SdsSecretConfig`]: { rest: SECRETS },
  [`${TLS}.Secret`]: { rest: SECRETS },
  'envoy.config.cluster.v3.Cluster.TransportSocketMatch': { rest: 'one transport socket serves all endpoints (A29)' },
};
