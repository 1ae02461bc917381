import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import type { Clock } from '@inmesh/sdk/internal/clock';
import type { Node } from '@inmesh/sdk/internal/gen/core';
import { LoadStatsRequestSchema, LoadStatsResponseSchema } from '@inmesh/sdk/internal/gen/services';
import { defaultOf } from '../defaults.ts';
import { clientIdentity } from './client-identity.ts';
import type { LoadBook } from './load-book.ts';
import type { Peer } from './peer.ts';
import { StreamLife } from './stream-life.ts';

export interface LoadServiceParts {
  readonly clock: Clock;
  readonly book: LoadBook;
  readonly intervalMs: number;
  /** Clusters that a client subscribes to: for who does not know `send_all_clusters`. */
  readonly clustersOf: (nodeId: string) => readonly string[];
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
/** Said by gRPC's clients and Envoy. */
const SENDS_ALL = 'envoy.lrs.supports_send_all_clusters';

export function createLoadService({ clock, book, intervalMs, clustersOf }: LoadServiceParts): LoadService {
  const question = ({ id, clientFeatures }: Node): Buffer => {
    const isAll = clientFeatures.includes(SENDS_ALL);
    const asked = create(LoadStatsResponseSchema, {
      sendAllClusters: isAll,
      clusters: isAll ? [] : [...clustersOf(id)],
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
      const take = (bytes: Uint8Array): void => {
        const { node, clusterStats } = fromBinary(LoadStatsRequestSchema, bytes);
        const fault = isKnown ? undefined : nodeFault(node, peer);
        if (fault !== undefined) end(fault.code, fault.message);
        else {
          if (!isKnown && node !== undefined) link.send(question(node));
          isKnown = true;
          life.spoken();
          reporter.take(clusterStats);
        }
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

/** Why a client may not report. */
function nodeFault(
  node: Node | undefined,
  peer: Peer,
): { readonly code: number; readonly message: string } | undefined {
  // Whoever has proven nothing could say anything.
  if (peer.isPublic) return { code: PERMISSION_DENIED, message: 'only who has proven who it is reports its load' };
  if (node === undefined)
    return { code: INVALID_ARGUMENT, message: 'the first request of a stream must carry its node' };
  const { conflict } = clientIdentity(node, peer);
  return conflict === undefined ? undefined : { code: PERMISSION_DENIED, message: conflict };
}
