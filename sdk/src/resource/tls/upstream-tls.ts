import type { TransportSocket } from '../../../gen/core.js';
import { UpstreamTlsContextSchema } from '../../../gen/tls.js';
import type { UpstreamTls } from '../../model/tls.ts';
import { typeNameOf, unpack } from '../any.ts';
import type { Scope } from '../scope.ts';
import { decodeCommon, NOTHING } from './tls-end.ts';

export const RAW_BUFFER = 'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer';

/**
 * How endpoints are spoken to; undefined: in clear. What cannot be honoured is refused, never weakened: the cluster fails
 * and says why, its calls do not go out in clear or to a peer nobody checked.
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
  const context = message.commonTlsContext;
  const { roots, ...common } = context ? decodeCommon(context, here.at('common_tls_context')) : NOTHING;
  return {
    ...common,
    // Envoy would trust anybody where no roots are named; here that has to be said (ACCEPT_UNTRUSTED).
    roots: roots ?? { kind: 'system' },
    ...(message.sni !== '' && { sni: message.sni }),
    ...(message.autoHostSni && { sniFrom: 'endpoint' }),
    ...(message.autoSniSanValidation && { verifiesSni: true }),
  };
}
