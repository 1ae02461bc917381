import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import type { Clock } from '@inmesh/sdk/internal/clock';
import type { Node } from '@inmesh/sdk/internal/gen/core';
import { LoadStatsRequestSchema, LoadStatsResponseSchema } from '@inmesh/sdk/internal/gen/services';
import { principalText } from '../auth/principal.ts';
import { defaultOf } from '../defaults.ts';
import { type ClientIdentity, clientIdentity } from './client-identity.ts';
import type { LoadBook } from './load-book.ts';
import type { Peer } from './peer.ts';
import { StreamLife } from './stream-life.ts';
import { TokenBucket } from './token-bucket.ts';

export interface LoadServiceParts {
  readonly clock: Clock;
  readonly book: LoadBook;
  readonly intervalMs: number;
  /** Clusters that a client subscribes to: for who does not know `send_all_clusters`. */
  readonly clustersOf: (identity: ClientIdentity) => readonly string[];
}

/** One stream of load reports (envoy.service.load_stats.v3, gRFC A27). */
interface LoadStream {
  receive(bytes: Uint8Array): void;
  closed(): void;
}

interface LoadLink {
  send(bytes: Buffer): void;
  end(code: number, message: string): void;
}

/** Which clients are asked to report, how often and what becomes of it. */
export interface LoadService {
  open(link: LoadLink, peer: Peer): LoadStream;
  /** Ends every stream. */
  close(): void;
}

const INVALID_ARGUMENT = 3;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const UNAVAILABLE = 14;
const BURST_SECONDS = 4;
/** What a report costs beside its bytes. */
const REPORT_COST = 1_024;
/** Said by gRPC's clients and Envoy. */
const SENDS_ALL = 'envoy.lrs.supports_send_all_clusters';

export function createLoadService({ clock, book, intervalMs, clustersOf }: LoadServiceParts): LoadService {
  const question = ({ clientFeatures }: Node, identity: ClientIdentity): Buffer => {
    const isAll = clientFeatures.includes(SENDS_ALL);
    const asked = create(LoadStatsResponseSchema, {
      sendAllClusters: isAll,
      clusters: isAll ? [] : [...clustersOf(identity)],
      loadReportingInterval: durationFromMs(intervalMs),
    });
    return Buffer.from(toBinary(LoadStatsResponseSchema, asked));
  };
  const open = new Set<(code: number, message: string) => void>();
  return {
    open(link, peer) {
      const reporter = book.open();
      let isKnown = false;
      let isOver = false;
      const closed = (): void => {
        isOver = true;
        open.delete(end);
        life.close();
        reporter.close();
      };
      const end = (code: number, message: string): void => {
        if (isOver) return;
        closed();
        link.end(code, message);
      };
      const life = new StreamLife(clock, peer, end);
      open.add(end);
      const perSecond = defaultOf('loadReportsPerSecond');
      const bucket = new TokenBucket({ perSecond, burst: BURST_SECONDS * perSecond }, clock.now());
      const introduce = (node: Node | undefined): void => {
        const found = identityOf(node, peer);
        if ('code' in found) {
          end(found.code, found.message);
          return;
        }
        link.send(question(found.node, found.identity));
        isKnown = true;
        life.spoken();
        reporter.known(peer.principal && principalText(peer.principal));
      };
      const take = (bytes: Uint8Array): void => {
        const { node, clusterStats } = fromBinary(LoadStatsRequestSchema, bytes);
        if (!isKnown) introduce(node);
        if (isKnown) reporter.take(clusterStats);
      };
      return {
        closed,
        receive(bytes) {
          if (isOver) return;
          const most = defaultOf('loadReportBytes');
          if (bytes.length > most) {
            end(RESOURCE_EXHAUSTED, `${bytes.length} bytes, at most ${most} are read`);
            return;
          }
          if (bucket.spend(bytes.length + REPORT_COST, clock.now()) > 0) {
            end(RESOURCE_EXHAUSTED, `more than ${defaultOf('loadReportsPerSecond')} bytes of reports in a second`);
            return;
          }
          try {
            take(bytes);
          } catch (error) {
            end(INVALID_ARGUMENT, `request cannot be read: ${error instanceof Error ? error.message : String(error)}`);
          }
        },
      };
    },
    close() {
      for (const end of [...open]) end(UNAVAILABLE, 'the control plane is shutting down');
    },
  };
}

interface Refused {
  readonly code: number;
  readonly message: string;
}

/** Who reports, or why it may not. */
function identityOf(
  node: Node | undefined,
  peer: Peer,
): Refused | { readonly node: Node; readonly identity: ClientIdentity } {
  // Whoever has proven nothing could say anything.
  if (peer.isPublic) return { code: PERMISSION_DENIED, message: 'only who has proven who it is reports its load' };
  if (node === undefined)
    return { code: INVALID_ARGUMENT, message: 'the first request of a stream must carry its node' };
  const identity = clientIdentity(node, peer);
  const { conflict } = identity;
  return conflict === undefined ? { node, identity } : { code: PERMISSION_DENIED, message: conflict };
}
