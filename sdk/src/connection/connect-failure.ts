export type ConnectFailureKind =
  /** No connection: refused, unreachable, no such socket. */
  | 'unreachable'
  /** The connect timeout is over. */
  | 'timeout'
  /** The peer's certificate, or no TLS there. */
  | 'tls'
  /** The host name has no address. */
  | 'name'
  /** What answered does not speak HTTP/2. */
  | 'protocol'
  /** The connection was closed before HTTP/2 could begin. */
  | 'lost'
  /** The breaker has no room for one more request that waits. */
  | 'overflow'
  /** We are closing. */
  | 'closed';

/** Why there is no connection. The message names the reason as Envoy's access log does where it has one. */
export class ConnectFailure extends Error {
  readonly kind: ConnectFailureKind;

  constructor(kind: ConnectFailureKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ConnectFailure';
    this.kind = kind;
  }
}

const REASONS: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'Connection refused'],
  ['ECONNRESET', 'Connection reset by peer'],
  ['EHOSTUNREACH', 'No route to host'],
  ['ENETUNREACH', 'Network is unreachable'],
  ['ETIMEDOUT', 'Connection timed out'],
  ['ENOENT', 'No such file or directory'],
  ['EACCES', 'Permission denied'],
]);

/** With `inTls` the connection stood already and the handshake failed. */
export function classifyConnectError(error: unknown, inTls: boolean): ConnectFailure {
  // Where several addresses were tried, the first one's error.
  const first = error instanceof AggregateError ? error.errors[0] : error;
  // Its code is told apart from what it says.
  const message = first instanceof Error ? first.message.replace(/^\[MESH_\w+\] /, '') : String(first);
  const code = codeOf(first);
  if (inTls) return new ConnectFailure('tls', `TLS_error: ${message}`, error);
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'EAI_NONAME')
    return new ConnectFailure('name', message, error);
  const reason = REASONS.get(code);
  return new ConnectFailure('unreachable', reason === undefined ? message : `connect error: ${reason}`, error);
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
