import { rowsOf } from '../field-rows.ts';
import type { FieldRows } from '../fields.ts';

const TLS = 'envoy.extensions.transport_sockets.tls.v3';
const READ_ANEW = 'a file is read anew when it has changed';
const NO_SESSIONS = 'TLS sessions are never resumed: a resumed one would verify nobody';
const NO_PROVIDERS = 'certificates come by SDS, by files, inline or from the provider instance "default"';

export const fields: FieldRows = {
  ...rowsOf(`${TLS}.UpstreamTlsContext`, {
    supported: 'common_tls_context sni auto_host_sni auto_sni_san_validation',
    ignored: { [NO_SESSIONS]: 'max_session_keys', 'OpenSSL decides': 'allow_renegotiation enforce_rsa_key_usage' },
  }),
  ...rowsOf(`${TLS}.DownstreamTlsContext`, {
    supported: 'common_tls_context require_client_certificate',
    ignored: {
      [NO_SESSIONS]: `session_ticket_keys session_ticket_keys_sds_secret_config disable_stateless_session_resumption
        disable_stateful_session_resumption session_timeout`,
      'a server has one certificate': 'full_scan_certs_on_sni_mismatch',
    },
    rejected: { 'it would have to be checked, and is not': 'require_sni ocsp_staple_policy' },
  }),
  ...rowsOf(`${TLS}.CommonTlsContext`, {
    supported: `tls_params tls_certificates tls_certificate_sds_secret_configs tls_certificate_provider_instance
      tls_certificate_certificate_provider_instance validation_context validation_context_sds_secret_config
      combined_validation_context validation_context_certificate_provider_instance alpn_protocols`,
    ignored: { 'keys are never logged': 'key_log' },
    rejected: {
      [NO_PROVIDERS]: 'tls_certificate_certificate_provider validation_context_certificate_provider',
      'it is Envoy code': 'custom_handshaker',
    },
  }),
  ...rowsOf(`${TLS}.CommonTlsContext.CombinedCertificateValidationContext`, {
    supported: `default_validation_context validation_context_sds_secret_config
      validation_context_certificate_provider_instance`,
    rejected: { [NO_PROVIDERS]: 'validation_context_certificate_provider' },
  }),
  ...rowsOf(`${TLS}.CommonTlsContext.CertificateProviderInstance`, { supported: 'instance_name certificate_name' }),
  ...rowsOf(`${TLS}.CertificateProviderPluginInstance`, { supported: 'instance_name certificate_name' }),
  ...rowsOf(`${TLS}.TlsParameters`, {
    supported: 'tls_minimum_protocol_version tls_maximum_protocol_version cipher_suites',
    rejected: { "OpenSSL's own are used, and these would narrow them": 'ecdh_curves signature_algorithms' },
  }),
  ...rowsOf(`${TLS}.TlsCertificate`, {
    supported: 'certificate_chain private_key',
    ignored: {
      [READ_ANEW]: 'watched_directory',
      'it is not stapled': 'ocsp_staple signed_certificate_timestamp',
    },
    rejected: { 'a key is given in PEM, without a password': 'pkcs12 password private_key_provider' },
  }),
  ...rowsOf(`${TLS}.CertificateValidationContext`, {
    supported: `trusted_ca ca_certificate_provider_instance system_root_certs verify_certificate_spki
      verify_certificate_hash match_typed_subject_alt_names match_subject_alt_names crl trust_chain_verification
      custom_validator_config`,
    ignored: { [READ_ANEW]: 'watched_directory', 'the whole chain is checked': 'only_verify_leaf_cert_crl' },
    rejected: {
      'it would have to be checked, and is not': 'require_signed_certificate_timestamp max_verify_depth',
      'an expired certificate proves nothing': 'allow_expired_certificate',
    },
  }),
  ...rowsOf(`${TLS}.CertificateValidationContext.SystemRootCerts`, {}),
  ...rowsOf(`${TLS}.SubjectAltNameMatcher`, {
    supported: 'san_type matcher',
    rejected: { 'no other name is known': 'oid' },
  }),
  ...rowsOf(`${TLS}.SPIFFECertValidatorConfig`, { supported: 'trust_domains' }),
  ...rowsOf(`${TLS}.SPIFFECertValidatorConfig.TrustDomain`, { supported: 'name trust_bundle' }),
  ...rowsOf(`${TLS}.SdsSecretConfig`, {
    supported: 'name',
    ignored: { 'one stream serves all': 'sds_config' },
  }),
  ...rowsOf(`${TLS}.Secret`, {
    supported: 'name tls_certificate validation_context',
    ignored: { 'it is of no use to TLS here': 'session_ticket_keys generic_secret' },
  }),
  ...rowsOf('envoy.config.cluster.v3.Cluster.TransportSocketMatch', { supported: 'name match transport_socket' }),
};
