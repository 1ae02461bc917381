import { addressText } from '../../balancer/hash-key.ts';
import type { LoadReport } from '../../balancer/load-weight.ts';
import { type Clock, systemTurn } from '../../clock.ts';
import { ConnectFailure } from '../../connection/connect-failure.ts';
import { dial } from '../../connection/dial.ts';
import { type SecureTransport, type SecureTransports, secureFor } from '../../connection/secure-transports.ts';
import { tlsToEndpoint } from '../../connection/tls.ts';
import { defaultOf } from '../../defaults.ts';
import type { Cluster } from '../../model/cluster.ts';
import { GRPC } from '../../wire/grpc-status.ts';
import { openGrpcStream } from '../../wire/grpc-stream.ts';
import type { LiveHost } from '../host.ts';
import { encodeReportRequest, readOrca } from './orca.ts';

export interface LoadSource {
  readonly host: LiveHost;
  readonly cluster: Cluster;
  readonly periodMs: number;
  readonly clock: Clock;
}

/** Nothing of it is called from inside the start or `cancel`; `ended` once, last. */
export interface LoadListener {
  report(report: LoadReport): void;
  /** `isUnknown`: the host has no such service, and need not be asked again. */
  ended(isUnknown: boolean, reason: string): void;
}

export interface LoadStream {
  cancel(): void;
}

/** Asks one host to report its load. */
export type StartLoadStream = (source: LoadSource, on: LoadListener) => LoadStream;

/** gRFC A51: xds.service.orca.v3.OpenRcaService/StreamCoreMetrics, on a connection of its own, secured as calls are. */
export function openLoadStream(source: LoadSource, on: LoadListener, secure?: SecureTransports): LoadStream {
  const { host, cluster, clock } = source;
  let end = (): void => {};
  let isOver = false;
  const fail = (reason: string): void => {
    if (isOver) return;
    isOver = true;
    on.ended(false, reason);
  };
  const open = (tls: SecureTransport | undefined): void => {
    const { address, port, endpoint } = host;
    const where = { address, port, addresses: endpoint.addresses, tls, timeoutMs: cluster.connectTimeoutMs };
    const dialling = dial(
      where,
      { clock, turn: systemTurn },
      {
        failed: (failure) => fail(failure.message),
        connected(socket) {
          end = listen(
            source,
            { dial: () => socket, isTls: tls !== undefined },
            {
              report: on.report,
              ended(isUnknown, reason) {
                isOver = true;
                on.ended(isUnknown, reason);
              },
            },
          );
        },
      },
    );
    dialling.unref();
    end = () => dialling.cancel();
  };
  const wanted = tlsToEndpoint(cluster, host.endpoint, host.endpoint.hostname ?? host.address);
  if (wanted === undefined) open(undefined);
  else if (secure === undefined) queueMicrotask(() => fail('TLS is asked for, and there is none'));
  else {
    // Never rejects.
    void secureFor(secure, wanted, 'http2').then((tls) => {
      if (isOver) return;
      if (tls instanceof ConnectFailure) fail(tls.message);
      else open(tls);
    });
  }
  return {
    cancel() {
      isOver = true;
      end();
    },
  };
}

type Opened = Pick<Parameters<typeof openGrpcStream>[0]['channel'], 'dial'> & { readonly isTls: boolean };

/** Returns what ends it. */
function listen(
  { host, cluster, periodMs, clock }: LoadSource,
  { dial: taken, isTls }: Opened,
  on: LoadListener,
): () => void {
  const mayReport = pacer(periodMs, clock.now());
  const authority = host.endpoint.hostname ?? cluster.serviceHost ?? addressText(host);
  const stream = openGrpcStream(
    {
      channel: {
        address: { connect: { port: host.port }, authority, isLocal: false, ...(isTls && { tlsName: authority }) },
        metadata: () => ({}),
        dial: taken,
        trust: '',
      },
      path: '/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics',
      kind: 'call',
      clock,
      maxMessageBytes: defaultOf('loadReportBytes'),
      pingIntervalMs: defaultOf('adsPingLongestMs'),
    },
    {
      message(bytes) {
        if (!mayReport(clock.now())) {
          stream.close();
          on.ended(false, 'it reports more often than it was asked to');
          return;
        }
        const report = readOrca(bytes);
        if (report !== undefined) on.report(report);
      },
      close: ({ code, message }) => on.ended(code === GRPC.unimplemented, message),
    },
  );
  stream.send(encodeReportRequest(periodMs));
  stream.end();
  return () => stream.close();
}

/** Reports ahead of their time: a server may have been stopped for a while. */
const MOST_AHEAD = 16;

/** Each report costs whoever reads it, and a host that is called must not have it read all day. */
function pacer(periodMs: number, startMs: number): (nowMs: number) => boolean {
  let atMs = startMs;
  let spare = MOST_AHEAD;
  return (nowMs) => {
    // Twice as often as asked for, as clocks differ.
    spare = Math.min(MOST_AHEAD, spare + (2 * (nowMs - atMs)) / Math.max(1, periodMs)) - 1;
    atMs = nowMs;
    return spare >= 0;
  };
}
