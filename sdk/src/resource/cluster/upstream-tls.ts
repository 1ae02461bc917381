import type { TransportSocket } from '../../../gen/core.js';
import { type CommonTlsContext, TlsParameters_TlsProtocol, UpstreamTlsContextSchema } from '../../../gen/tls.js';
import type { UpstreamTls } from '../../model/cluster.ts';
import { typeNameOf, unpack } from '../any.ts';
import type { Scope } from '../scope.ts';

const RAW_BUFFER = 'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer';

/** Istio's name for the platform's root certificates (DestinationRule tls.mode SIMPLE without a CA). */
const SYSTEM_ROOTS = 'file-root:system';

/**
 * TLS towards the upstream, by the platform's roots or those of a file. What asks for more (a certificate of our own, roots
 * that come by SDS) is refused, never weakened: the cluster fails and says why, its calls do not go out in clear or to a peer nobody checked.
 */
export function decodeTransportSocket({ configType }: TransportSocket, at: Scope): UpstreamTls | undefined {
  const any = configType.case === 'typedConfig' ? configType.value : undefined;
  const here = at.at('typed_config');
  const type = any ? typeNameOf(any) : '';
  if (type === RAW_BUFFER) return undefined;
  if (any === undefined || type !== UpstreamTlsContextSchema.typeName) {
    here.error(`type "${type}", ${UpstreamTlsContextSchema.typeName} or ${RAW_BUFFER} allowed`);
    return undefined;
  }
  const message = unpack(any, UpstreamTlsContextSchema, here);
  if (message === undefined) return undefined;
  const common = message.commonTlsContext;
  return {
    ...(message.sni !== '' && { sni: message.sni }),
    alpn: common?.alpnProtocols ?? [],
    ...(common ? decodeCommon(common, here.at('common_tls_context')) : NOBODY_ELSE),
  };
}

/** Whom the certificate must name, and who may have signed it. */
type Trust = Pick<UpstreamTls, 'subjectAltNames' | 'roots'>;

/** The name that was asked for, by the platform's roots. */
const NOBODY_ELSE: Trust = { subjectAltNames: [] };

function decodeCommon(common: CommonTlsContext, at: Scope): Trust {
  const { validationContextType: validation, tlsParams } = common;
  // Node speaks TLS 1.2 and up unless it is told otherwise for the whole process.
  if (tlsParams?.tlsMinimumProtocolVersion === TlsParameters_TlsProtocol.TLSv1_3) {
    at.at('tls_params').at('tls_minimum_protocol_version').error('TLSv1_3, up to TLSv1_2 allowed so far');
  }
  switch (validation.case) {
    case undefined:
      return NOBODY_ELSE;
    case 'validationContext':
      return decodeValidation(validation.value, at.at('validation_context'));
    case 'validationContextSdsSecretConfig':
      requireSystemRoots(validation.value.name, at.at('validation_context_sds_secret_config'));
      return NOBODY_ELSE;
    case 'combinedValidationContext': {
      const here = at.at('combined_validation_context');
      const { defaultValidationContext, validationContextSdsSecretConfig } = validation.value;
      requireSystemRoots(validationContextSdsSecretConfig?.name ?? '', here.at('validation_context_sds_secret_config'));
      return defaultValidationContext
        ? decodeValidation(defaultValidationContext, here.at('default_validation_context'))
        : NOBODY_ELSE;
    }
    default:
      // Its field row has refused it, as those of client certificates and of other roots have refused theirs.
      return NOBODY_ELSE;
  }
}

function requireSystemRoots(name: string, at: Scope): void {
  if (name !== SYSTEM_ROOTS) at.error(`roots "${name}", ${SYSTEM_ROOTS} allowed so far`);
}

type Validation = Extract<CommonTlsContext['validationContextType'], { case: 'validationContext' }>['value'];

/** Roots of a file on this machine (DestinationRule tls.caCertificates). */
function decodeValidation(context: Validation, at: Scope): Trust {
  const names = { subjectAltNames: subjectAltNames(context, at) };
  const { trustedCa } = context;
  if (trustedCa === undefined) return names;
  if (trustedCa.specifier.case === 'filename' && trustedCa.specifier.value !== '') {
    return { ...names, roots: trustedCa.specifier.value };
  }
  at.at('trusted_ca').error(`${trustedCa.specifier.case ?? 'nothing'}, the name of a file allowed`);
  return names;
}

function subjectAltNames(context: Validation, at: Scope): readonly string[] {
  const matchers = [
    ...context.matchTypedSubjectAltNames.map(({ matcher }) => matcher),
    ...context.matchSubjectAltNames,
  ];
  return matchers.flatMap((matcher, index) => {
    if (matcher?.matchPattern.case === 'exact') return matcher.matchPattern.value;
    at.at('match_typed_subject_alt_names')
      .at(index)
      .error(`${matcher?.matchPattern.case ?? 'nothing'}, exact allowed`);
    return [];
  });
}
