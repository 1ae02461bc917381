import type { Cluster as Message } from '../../../gen/cluster.js';
import type { Cluster } from '../../model/cluster.ts';

/** Envoy UpstreamConnectionOptions.tcp_keepalive, in seconds; an empty one switches it on. */
export function decodeTcpKeepAlive({
  upstreamConnectionOptions: options,
}: Message): Pick<Cluster, 'tcpKeepAlive'> | undefined {
  const message = options?.tcpKeepalive;
  if (message === undefined) return undefined;
  const { keepaliveProbes: probes, keepaliveTime: time, keepaliveInterval: interval } = message;
  return {
    tcpKeepAlive: {
      ...(probes !== undefined && { probes }),
      ...(time !== undefined && { timeMs: time * 1000 }),
      ...(interval !== undefined && { intervalMs: interval * 1000 }),
    },
  };
}
