import type { Clock } from '../../clock.ts';
import { systemTurn } from '../../clock.ts';
import { ConnectFailure } from '../../connection/connect-failure.ts';
import { dial } from '../../connection/dial.ts';
import { type SecureTransport, type SecureTransports, secureFor } from '../../connection/secure-transports.ts';
import { type Spoken, tlsToEndpoint } from '../../connection/tls.ts';
import type { Cluster } from '../../model/cluster.ts';
import type { HealthCheck } from '../../model/health-check.ts';
import type { LiveHost } from '../host.ts';
import type { CheckResult } from './state.ts';
import { talk } from './talk.ts';

export interface ProbeTarget {
  readonly host: LiveHost;
  readonly check: HealthCheck;
  readonly cluster: Cluster;
  readonly clock: Clock;
}

/** Where TLS comes from; hosts that are spoken to by TLS are out without it. */
export type ProbeTls = SecureTransports | undefined;

/** A check under way. */
export interface Probe {
  /** Closes its connection; nothing is told any more. */
  cancel(): void;
}

/** Asks a host once, on a connection of its own, so that what a new caller would meet is checked. */
export function probeHost(target: ProbeTarget, done: (result: CheckResult) => void, secure?: ProbeTls): Probe {
  const { host, check, cluster, clock } = target;
  let end = (): void => {};
  let isOver = false;
  const finish = (result: CheckResult): void => {
    if (isOver) return;
    isOver = true;
    end();
    done(result);
  };
  const fail = (reason: string): void => finish({ kind: 'failed', isRetriable: true, reason });
  const isHttp2 = check.check.kind === 'grpc' || (check.check.kind === 'http' && check.check.http2);
  const open = (tls: SecureTransport | undefined): void => {
    const where = { address: host.address, port: check.port ?? host.port, tls, timeoutMs: check.timeoutMs };
    const dialling = dial(
      where,
      { clock, turn: systemTurn },
      {
        failed: (failure) => fail(failure.message),
        connected(socket) {
          end = () => socket.destroy();
          socket.unref();
          socket.on('error', (error) => fail(error.message));
          socket.once('close', () => fail('the connection was closed'));
          talk({ socket, check: check.check, clusterName: cluster.name, isTls: tls !== undefined, isHttp2 }, finish);
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
    void secureFor(secure, wanted, spokenBy(check, isHttp2)).then((tls) => {
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

const spokenBy = ({ check }: HealthCheck, isHttp2: boolean): Spoken =>
  check.kind === 'tcp' ? 'none' : isHttp2 ? 'http2' : 'http1';
