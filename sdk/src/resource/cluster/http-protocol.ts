import type { HttpProtocolOptions, Cluster as Message } from '../../../gen/cluster.js';
import { HttpProtocolOptionsSchema } from '../../../gen/cluster.js';
import type { Http2ProtocolOptions, UpstreamHttpProtocolOptions } from '../../../gen/core.js';
import type { Cluster } from '../../model/cluster.ts';
import { typeNameOf, unpack } from '../any.ts';
import type { Scope } from '../scope.ts';
import { durationMs } from '../values.ts';
import { decodeHttp2Options } from './http2-options.ts';

type HttpProtocol = Pick<
  Cluster,
  | 'http2'
  | 'http2IfOffered'
  | 'http2Options'
  | 'maxStreamDurationMs'
  | 'maxRequestsPerConnection'
  | 'idleTimeoutMs'
  | 'maxConnectionDurationMs'
>;

/** Envoy UpstreamHttpProtocolOptions. */
export type SniOptions = Pick<UpstreamHttpProtocolOptions, 'autoSni' | 'autoSanValidation'>;

/** Envoy HttpProtocolOptions (typed), else the cluster's own older fields for the same. */
export function decodeHttpProtocol(message: Message, at: Scope): HttpProtocol & { readonly sni?: SniOptions } {
  const options = typedOptions(message, at);
  const common = options?.commonHttpProtocolOptions ?? message.commonHttpProtocolOptions;
  const here = at.at('common_http_protocol_options');
  const requests = common?.maxRequestsPerConnection ?? message.maxRequestsPerConnection;
  const idleTimeoutMs = durationMs(common?.idleTimeout, here.at('idle_timeout'));
  const maxConnectionDurationMs = durationMs(common?.maxConnectionDuration, here.at('max_connection_duration'));
  const maxStreamDurationMs = durationMs(common?.maxStreamDuration, here.at('max_stream_duration'));
  const http2 = options ? explicitHttp2(options) : message.http2ProtocolOptions;
  const auto =
    options?.upstreamProtocolOptions.case === 'autoConfig' ? options.upstreamProtocolOptions.value : undefined;
  const http2Options = decodeHttp2Options(http2 ?? auto?.http2ProtocolOptions, at.at('http2_protocol_options'));
  const sni = options?.upstreamHttpProtocolOptions ?? message.upstreamHttpProtocolOptions;
  return {
    ...(sni && { sni }),
    http2: http2 !== undefined,
    ...(auto && { http2IfOffered: true as const }),
    ...(http2Options && { http2Options }),
    ...(maxStreamDurationMs !== undefined && { maxStreamDurationMs }),
    // 0 = no limit (Envoy HttpProtocolOptions.max_requests_per_connection).
    ...(requests !== undefined && requests > 0 && { maxRequestsPerConnection: requests }),
    ...(idleTimeoutMs !== undefined && { idleTimeoutMs }),
    ...(maxConnectionDurationMs !== undefined && { maxConnectionDurationMs }),
  };
}

function typedOptions(message: Message, at: Scope): HttpProtocolOptions | undefined {
  const here = at.at('typed_extension_protocol_options');
  for (const [key, any] of Object.entries(message.typedExtensionProtocolOptions)) {
    if (typeNameOf(any) === HttpProtocolOptionsSchema.typeName)
      return unpack(any, HttpProtocolOptionsSchema, here.at(key));
    here.at(key).warn(`ignored: ${typeNameOf(any)}, ${HttpProtocolOptionsSchema.typeName} is known`);
  }
  return undefined;
}

function explicitHttp2({ upstreamProtocolOptions: protocol }: HttpProtocolOptions): Http2ProtocolOptions | undefined {
  if (protocol.case !== 'explicitHttpConfig') return undefined;
  const { protocolConfig } = protocol.value;
  return protocolConfig.case === 'http2ProtocolOptions' ? protocolConfig.value : undefined;
}
