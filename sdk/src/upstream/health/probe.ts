import type { Clock } from '../../clock.ts';
import { systemTurn } from '../../clock.ts';
import { dial } from '../../connection/dial.ts';
import { tlsToCluster } from '../../connection/tls.ts';
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

/** A check under way. */
export interface Probe {
  /** Closes its connection; nothing is told any more. */
  cancel(): void;
}

/** Asks a host once, on a connection of its own, so that what a new caller would meet is checked. */
export function probeHost(target: ProbeTarget, done: (result: CheckResult) => void): Probe {
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
  const tls = cluster.tls && tlsToCluster(cluster.tls, host.endpoint.hostname ?? host.address, alpnOf(check, isHttp2));
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
  return {
    cancel() {
      isOver = true;
      end();
    },
  };
}

const alpnOf = ({ check }: HealthCheck, isHttp2: boolean): readonly string[] =>
  check.kind === 'tcp' ? [] : [isHttp2 ? 'h2' : 'http/1.1'];
