import type { PortProtocol } from './read-model.ts';

/** Istio protocol.Parse: the words a port name may begin with. */
const BY_NAME: ReadonlyMap<string, PortProtocol> = new Map([
  ['http', 'http'],
  ['http2', 'http2'],
  ['http_proxy', 'http'],
  ['https', 'https'],
  ['grpc', 'grpc'],
  ['grpc-web', 'grpc-web'],
  ['tcp', 'tcp'],
  ['tls', 'tls'],
  ['udp', 'udp'],
  ['mongo', 'mongo'],
  ['redis', 'redis'],
  ['mysql', 'mysql'],
]);

/** Kubernetes' standard appProtocols beside Istio's own words (KEP-3726). */
const BY_APP_PROTOCOL: ReadonlyMap<string, PortProtocol> = new Map([
  ['kubernetes.io/h2c', 'http2'],
  ['kubernetes.io/ws', 'http'],
  ['kubernetes.io/wss', 'https'],
]);

/** Server-first protocols that sniffing would hang (Istio wellKnownPorts). */
const NEVER_SNIFFED: ReadonlySet<number> = new Set([25, 53, 110, 3306, 27017]);

export interface DeclaredPort {
  readonly number: number;
  readonly name: string;
  readonly transport: 'TCP' | 'UDP' | 'SCTP';
  readonly appProtocol?: string;
}

/** Istio kube.ConvertProtocol: UDP first, then appProtocol, then the name's prefix up to a `-`. */
export const selectProtocol = ({ number, name, transport, appProtocol }: DeclaredPort): PortProtocol => {
  if (transport === 'UDP') return 'udp';
  if (appProtocol !== undefined) {
    const declared = parseProtocol(appProtocol) ?? BY_APP_PROTOCOL.get(appProtocol.toLowerCase());
    if (declared !== undefined) return declared;
  }
  const lower = name.toLowerCase();
  const prefix = lower.startsWith('grpc-web') ? 'grpc-web' : (lower.split('-')[0] ?? '');
  const named = BY_NAME.get(prefix);
  if (named !== undefined) return named;
  return NEVER_SNIFFED.has(number) || transport === 'SCTP' ? 'tcp' : 'auto';
};

export const parseProtocol = (word: string): PortProtocol | undefined => BY_NAME.get(word.toLowerCase());
