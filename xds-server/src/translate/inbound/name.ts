import { isIpLiteral, parseTarget } from '../names.ts';

/** How servers ask for the configuration of a port (gRFC A36; the template that Istio's bootstrap gives gRPC). */
const PREFIX = 'xds.istio.io/grpc/lds/inbound/';

export interface InboundAddress {
  /** Of an interface; `0.0.0.0` and `::` are all of them. */
  readonly address: string;
  readonly port: number;
}

export const isInboundName = (name: string): boolean => name.startsWith(PREFIX);

/** `…/0.0.0.0:9080`, `…/[::1]:9080`; undefined = no address to listen on. */
export const parseInboundName = (name: string): InboundAddress | undefined => {
  const target = isInboundName(name) ? parseTarget(name.slice(PREFIX.length)) : undefined;
  return target !== undefined && isIpLiteral(target.host) ? { address: target.host, port: target.port } : undefined;
};

export const isEveryInterface = (address: string): boolean => address === '0.0.0.0' || address === '::';
