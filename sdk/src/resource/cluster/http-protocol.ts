import type { HttpProtocolOptions, Cluster as Message } from '../../../gen/cluster.js';
import { HttpProtocolOptionsSchema } from '../../../gen/cluster.js';
import type { Cluster } from '../../model/cluster.ts';
import { typeNameOf, unpack } from '../any.ts';
import type { Scope } from '../scope.ts';
import { durationMs } from '../values.ts';

type HttpProtocol = Pick<Cluster, 'http2' | 'maxRequestsPerConnection' | 'idleTimeoutMs' | 'maxConnectionDurationMs'>;

/** Envoy HttpProtocolOptions (typed), else the cluster's own older fields for the same. */
export function decodeHttpProtocol(message: Message, at: Scope): HttpProtocol {
  const options = typedOptions(message, at);
  const common = options?.commonHttpProtocolOptions ?? message.commonHttpProtocolOptions;
  const here = at.at('common_http_protocol_options');
  const requests = common?.maxRequestsPerConnection ?? message.maxRequestsPerConnection;
  const idleTimeoutMs = durationMs(common?.idleTimeout, here.at('idle_timeout'));
  const maxConnectionDurationMs = durationMs(common?.maxConnectionDuration, here.at('max_connection_duration'));
  return {
    http2: options ? asksHttp2(options) : message.http2ProtocolOptions !== undefined,
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

const asksHttp2 = ({ upstreamProtocolOptions: protocol }: HttpProtocolOptions): boolean =>
  protocol.case === 'explicitHttpConfig' && protocol.value.protocolConfig.case === 'http2ProtocolOptions';
