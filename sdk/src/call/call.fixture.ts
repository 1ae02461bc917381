import { type Clock, systemClock, systemTurn } from '../clock.ts';
import { type Connections, type ConnectionsDeps, createConnections } from '../connection/connections.ts';
import type { Resolver } from '../connection/dns/resolver.ts';
import { clusterOf } from '../connection/origin.fixture.ts';
import type { Cluster, Endpoint } from '../model/cluster.ts';
import type { MeshEvent } from '../model/events.ts';
import type { MeshRequest } from '../model/request.ts';
import type { Route } from '../model/route.ts';
import type { ClusterState, TargetConfig } from '../model/target.ts';
import { configuration, request, virtualHost } from '../route/route.fixture.ts';
import type { Upstream } from '../upstream/types.ts';
import { type CallBody, type CallOptions, type CallRuntime, createCallRuntime, startCall } from './call.ts';
import { createLiveTargets, type LiveTarget } from './live-target.ts';
import type { Call, CallHandler } from './types.ts';

/** A mesh of one target, for tests: real upstreams and connections, time that a test may push on. */
export interface Stage {
  readonly runtime: CallRuntime;
  readonly connections: Connections;
  readonly events: MeshEvent[];
  addMs: number;
  target(routes: readonly Route[], clusters: Readonly<Record<string, ClusterState>>): Promise<LiveTarget>;
  close(): Promise<void>;
}

export function createStage(
  parts: Partial<CallRuntime> = {},
  resolver?: Resolver,
  more: Partial<ConnectionsDeps> = {},
): Stage {
  const events: MeshEvent[] = [];
  const clock: Clock = {
    ...systemClock,
    now: () => systemClock.now() + stage.addMs,
    after: (ms, run) => systemClock.after(ms, run),
  };
  const connections = createConnections({ clock, ...more });
  const emit = (event: MeshEvent): void => {
    events.push(event);
  };
  const runtime = createCallRuntime({ clock, random: () => 0, connections, emit, turn: systemTurn, ...parts });
  const targets = createLiveTargets({
    clock,
    random: () => 0,
    emit,
    onHostsChanged: () => connections.drainRemoved(),
    ...(resolver && { resolver }),
  });
  const stage: Stage = {
    runtime,
    connections,
    events,
    addMs: 0,
    target: (routes, clusters) => targets.prepare(targetConfig(routes, clusters)),
    close: () => connections.closeAll(0),
  };
  return stage;
}

export const targetConfig = (
  routes: readonly Route[],
  clusters: Readonly<Record<string, ClusterState>>,
): TargetConfig => {
  const routeConfiguration = configuration([virtualHost('v', ['reviews:9080'], routes)]);
  return {
    target: 'reviews:9080',
    listener: { name: 'reviews:9080', routes: { kind: 'inline', routeConfiguration } },
    routeConfiguration,
    clusters: new Map(Object.entries(clusters)),
  };
};

/** A cluster with its endpoints; a number is a port on loopback. */
export const cluster = (
  name: string,
  endpoints: readonly (number | Partial<Endpoint>)[],
  more: Partial<Cluster> = {},
): ClusterState => ({
  kind: 'ready',
  config: {
    cluster: clusterOf({ name, ...more }),
    assignment: {
      clusterName: name,
      overprovisioningFactor: 140,
      localities: [
        {
          locality: { region: '', zone: '', subZone: '' },
          priority: 0,
          weight: 1,
          endpoints: endpoints.map((it) => ({
            address: '127.0.0.1',
            port: 0,
            health: 'healthy',
            weight: 1,
            ...(typeof it === 'number' ? { port: it } : it),
          })),
        },
      ],
    },
  },
});

/** Everything a call has told its handler. */
export class Answer implements CallHandler {
  status = 0;
  headers: string[] = [];
  statusText = '';
  text = '';
  trailers: string[] | undefined;
  error: unknown;
  informational: number[] = [];
  chunks = 0;
  /** What `onData` answers. */
  isFlowing = true;
  readonly ended: Promise<this>;
  call: Call | undefined;
  #resolve: (self: this) => void = () => {};

  constructor() {
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }
  onHeaders(status: number, headers: string[], statusText: string): void {
    this.status = status;
    this.headers = headers;
    this.statusText = statusText;
  }
  onData(chunk: Uint8Array): boolean {
    this.chunks++;
    this.text += new TextDecoder().decode(chunk);
    return this.isFlowing;
  }
  onEnd(trailers: string[]): void {
    this.#once();
    this.trailers = trailers;
    this.#resolve(this);
  }
  onError(error: unknown): void {
    this.#once();
    this.error = error;
    this.#resolve(this);
  }
  onInformational(status: number): void {
    this.informational.push(status);
  }

  header(name: string): string | undefined {
    const at = this.headers.findIndex((text, i) => i % 2 === 0 && text === name);
    return at < 0 ? undefined : this.headers[at + 1];
  }

  #isOver = false;
  #once(): void {
    if (this.#isOver) throw new Error('the call ended twice');
    this.#isOver = true;
  }
}

export interface Asked extends Partial<MeshRequest> {
  readonly body?: CallBody;
  readonly options?: Partial<CallOptions>;
}

/** Starts a call; await `ended` of what it returns. */
export function ask(
  stage: Stage,
  target: LiveTarget,
  { body = { kind: 'none' }, options = {}, ...more }: Asked = {},
): Answer {
  const answer = new Answer();
  answer.call = startCall(stage.runtime, target, request(more), body, answer, {
    localReply: 'resolve',
    originalDestination: { host: 'reviews', port: 9080 },
    ...options,
  });
  return answer;
}

/** Requests that picks are still counted for. */
export const activeRequests = (upstreams: Iterable<Upstream>): number =>
  [...upstreams].flatMap((upstream) => upstream.hosts()).reduce((sum, { activeRequests: count }) => sum + count, 0);
