import type { CallStory, ConnectionStory, EventSink, MeshEvent } from '../model/events.ts';

/** INMESH_LOG=debug: one line an event, for a human at a terminal. Header values and bodies are never in it. */
export function createLog(write: (line: string) => void): EventSink {
  return (event) => write(`inmesh ${oneLine(describe(event))}\n`);
}

/** Peers have a say in some words: they must not make a line of their own, nor speak to the terminal. */
const oneLine = (text: string): string =>
  text.replace(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);

export function describe(event: MeshEvent): string {
  switch (event.kind) {
    case 'call': {
      const { method, scheme, authority, path } = event.request;
      return `${method} ${scheme}://${authority}${withoutQuery(path)} ${event.status} ${way(event.story)}`;
    }
    case 'connection':
      return `tcp://${event.story.target} ${wayOfConnection(event.story)}`;
    case 'mirror-compared': {
      const what = event.differences.length > 0 ? `differs in ${event.differences.join(', ')}` : 'answers alike';
      return `${event.target}: the mirror ${event.mirror} ${what}`;
    }
    case 'passthrough':
      return event.cluster === 'PassthroughCluster'
        ? `${event.host} is no host of the mesh: sent as written`
        : `${event.host} is no host of the mesh: refused`;
    case 'ejected':
      return `${event.cluster}: ${event.host} is left out (${event.reason}) until ${new Date(event.untilMs).toISOString()}`;
    case 'unejected':
      return `${event.cluster}: ${event.host} is back (${event.cause})`;
    case 'host-health':
      return `${event.cluster}: ${event.host} is ${event.state} (${event.reason})`;
    case 'retry-refused':
      return `${event.target}: not tried again (${event.reason}): ${event.cluster}`;
    case 'identity-rotated':
      return `${event.id}: new ${event.changed} from ${event.source}, valid until ${new Date(event.notAfterMs).toISOString()}`;
    case 'identity-failed': {
      const held =
        event.notAfterMs === undefined
          ? ''
          : `; the last one is valid until ${new Date(event.notAfterMs).toISOString()}`;
      return `no certificate from ${event.source}: ${event.reason}${held}`;
    }
    case 'identity-expired':
      return `${event.id}: the certificate expired at ${new Date(event.notAfterMs).toISOString()} (${event.source}: ${event.reason})`;
    case 'xds-connected':
      return `connected to ${event.server} (${event.protocol})`;
    case 'xds-disconnected':
      return `${event.server} lost: ${event.reason}; again in ${Math.round(event.retryMs)} ms`;
    case 'xds-switched':
      return `${event.server} is listened to in place of ${event.from}`;
    case 'xds-stale':
      return `${shortType(event.typeUrl)} ${event.resource}: from the snapshot, as it was at ${new Date(event.sentMs).toISOString()}`;
    case 'xds-ack':
      return `${shortType(event.typeUrl)} accepted: ${event.resources.join(', ') || 'nothing'}`;
    case 'xds-nack':
      return `${shortType(event.typeUrl)} rejected: ${event.errors.join('; ')}`;
    case 'xds-warning':
      return `${shortType(event.typeUrl)} ${event.resource}: ${event.message}`;
    case 'config-swapped':
      return `${event.target}: new configuration (${event.reason})`;
    case 'config-missing':
      return `${event.target}: ${event.reason}`;
    case 'inbound-refused':
      return `a connection of ${event.remoteAddress ?? 'somebody'} was refused (${event.reason}): ${event.message}`;
    case 'warning':
      return event.message;
  }
}

/** A query may carry secrets: a log must not. */
const withoutQuery = (path: string): string => (path.includes('?') ? `${path.slice(0, path.indexOf('?'))}?…` : path);

const shortType = (typeUrl: string): string => typeUrl.slice(typeUrl.lastIndexOf('.') + 1);

function way({ route, cluster, endpoint, peer, grpcStatus, flag, local, attempts, timings }: CallStory): string {
  const parts = [
    route && `route ${route}`,
    cluster && `→ ${cluster}`,
    endpoint && `@ ${endpoint}`,
    peer && `(${peer})`,
    grpcStatus !== undefined && `grpc-status ${grpcStatus}`,
    attempts.length > 1 && `${attempts.length} attempts`,
    flag && `flag ${flag}`,
    local && 'answered here',
    `${Math.max(0, (timings.endMs || timings.headersMs) - timings.startMs).toFixed(1)} ms`,
  ];
  return parts.filter(Boolean).join(' ');
}

function wayOfConnection({
  route,
  cluster,
  endpoint,
  peer,
  attempts,
  flag,
  bytesIn,
  bytesOut,
  timings,
}: ConnectionStory): string {
  const parts = [
    route && `route ${route}`,
    cluster && `→ ${cluster}`,
    endpoint && `@ ${endpoint}`,
    peer && `(${peer})`,
    attempts.length > 1 && `${attempts.length} attempts`,
    flag && `flag ${flag}`,
    `${bytesIn} bytes in, ${bytesOut} out`,
    `${Math.max(0, timings.endMs - timings.startMs).toFixed(1)} ms`,
  ];
  return parts.filter(Boolean).join(' ');
}
