import type { TransportSocket } from '../../../gen/core.js';
import { DownstreamTlsContextSchema } from '../../../gen/tls.js';
import type { DownstreamTls } from '../../model/tls.ts';
import { typeNameOf, unpack } from '../any.ts';
import type { Scope } from '../scope.ts';
import { decodeCommon } from './tls-end.ts';
import { RAW_BUFFER } from './upstream-tls.ts';

/** FilterChain.transport_socket of a server; undefined: what comes is taken as it comes. */
export function decodeDownstreamTls({ configType }: TransportSocket, at: Scope): DownstreamTls | undefined {
  const any = configType.case === 'typedConfig' ? configType.value : undefined;
  const here = at.at('typed_config');
  const type = any ? typeNameOf(any) : '';
  if (type === RAW_BUFFER) return undefined;
  if (any === undefined || type !== DownstreamTlsContextSchema.typeName) {
    here.error(`type "${type}", ${DownstreamTlsContextSchema.typeName} or ${RAW_BUFFER} allowed`);
    return undefined;
  }
  const message = unpack(any, DownstreamTlsContextSchema, here);
  const context = message?.commonTlsContext;
  if (message === undefined) return undefined;
  const inside = here.at('common_tls_context');
  if (context === undefined) {
    inside.error('missing, a server has a certificate');
    return undefined;
  }
  const { roots, certificate, pins, ...common } = decodeCommon(context, inside);
  const requireClientCertificate = message.requireClientCertificate === true;
  if (pins !== undefined) inside.error('pins (verify_certificate_spki, verify_certificate_hash) hold for servers only');
  if (certificate === undefined) inside.error('no certificate, a server has one');
  if (requireClientCertificate && roots === undefined)
    inside.error('require_client_certificate without roots to verify it by (gRFC A29)');
  return {
    ...common,
    certificate: certificate ?? { kind: 'identity' },
    roots: roots ?? { kind: 'mesh' },
    requireClientCertificate,
  };
}
