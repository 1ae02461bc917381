import type { DescMessage, Message, MessageInitShape } from '@bufbuild/protobuf';
import * as grpc from '@grpc/grpc-js';
import { anyOf } from '../../../test/harness/scripted-ads.ts';
import { startTestMesh, type TestMesh } from '../../../test/harness/test-mesh.ts';
import {
  cluster,
  lbEndpoint,
  listener,
  type RouteInit,
  routes,
  toCluster,
} from '../../../test/harness/xds-resources.ts';
import type { ClusterSchema } from '../../gen/cluster.js';
import { ClusterLoadAssignmentSchema } from '../../gen/endpoint.js';
import { RouterSchema } from '../../gen/listener.js';
import type { MeshEvent } from '../model/events.ts';
import { Echo, type EchoClient, type GrpcPeer, type Handlers, servePeer, told } from './peer.fixture.ts';

/** A mesh with the host `echo:80`, whose policies and servers a test sets, and what its calls came to. */

type Fields<D extends DescMessage> = Exclude<MessageInitShape<D>, Message>;

/** Endpoints of one locality. */
export interface Group {
  readonly peers: readonly { readonly port: number }[];
  readonly zone?: string;
  readonly priority?: number;
  readonly weight?: number;
}

export interface ClusterSetup {
  readonly groups: readonly Group[];
  readonly extra?: Fields<typeof ClusterSchema>;
  readonly policy?: Fields<typeof ClusterLoadAssignmentSchema>['policy'];
}

export interface HostSetup {
  readonly clusters: Readonly<Record<string, ClusterSetup>>;
  /** All calls to the first cluster where absent. */
  readonly routes?: readonly RouteInit[];
  /** In front of the router. */
  readonly filters?: readonly { readonly name: string; readonly typed: ReturnType<typeof anyOf> }[];
}

export type CallEvent = Extract<MeshEvent, { kind: 'call' }>;

export interface Stage {
  readonly test: TestMesh;
  readonly events: MeshEvent[];
  calls(): readonly CallEvent[];
  peer(handlers?: Handlers): Promise<GrpcPeer>;
  set(setup: HostSetup): void;
  client(options?: object): EchoClient;
  close(): Promise<void>;
}

export async function startStage(): Promise<Stage> {
  const test = await startTestMesh((_, response) => response.end());
  const events: MeshEvent[] = [];
  test.mesh.on((event) => events.push(event));
  const ends: { close(): void }[] = [];
  return {
    test,
    events,
    calls: () => events.filter((event) => event.kind === 'call'),
    async peer(handlers) {
      const peer = await servePeer(handlers);
      ends.push(peer);
      return peer;
    },
    set: (setup) => setHost(test, setup),
    client(options = {}) {
      const client = new Echo('echo:80', grpc.credentials.createInsecure(), { ...options, ...test.mesh.grpc() });
      ends.push(client);
      return client;
    },
    async close() {
      for (const one of ends.splice(0)) one.close();
      await test[Symbol.asyncDispose]();
    },
  };
}

function setHost({ ads }: TestMesh, { clusters, routes: list, filters = [] }: HostSetup): void {
  const [first = ''] = Object.keys(clusters);
  for (const [name, { groups, extra, policy }] of Object.entries(clusters)) {
    ads.set(name, cluster(name, extra));
    ads.set(name, assignmentOf(name, groups, policy));
  }
  ads.set('echo:80', routes('echo:80', ...(list ?? [toCluster(first)])));
  const chain = [...filters, { name: 'router', typed: anyOf(RouterSchema, {}) }];
  const httpFilters = chain.map(
    ({ name, typed }) => ({ name, configType: { case: 'typedConfig', value: typed } }) as const,
  );
  ads.set('echo:80', listener('echo:80', 'echo:80', { httpFilters }));
}

const assignmentOf = (name: string, groups: readonly Group[], policy: ClusterSetup['policy']) =>
  anyOf(ClusterLoadAssignmentSchema, {
    clusterName: name,
    ...(policy && { policy }),
    endpoints: groups.map(({ peers, zone = 'z', priority = 0, weight = 1 }) => ({
      locality: { region: 'r', zone },
      priority,
      loadBalancingWeight: weight,
      lbEndpoints: peers.map(({ port }) => lbEndpoint('127.0.0.1', port)),
    })),
  });

export const HELLO = Buffer.from('hello');

/** A unary call with metadata. */
export const unary = (client: EchoClient, metadata: Readonly<Record<string, string>> = {}, more: object = {}) => {
  const sent = new grpc.Metadata();
  for (const [name, value] of Object.entries(metadata)) sent.set(name, value);
  return told((done) => client.unary(HELLO, sent, { deadline: Date.now() + 20_000, ...more }, done));
};

/** A server that answers by its name. */
export const named = (name: string): Handlers => ({
  unary: (_: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => done(null, Buffer.from(name)),
});

/** Trailers-only: grpc-js sends a status without metadata before it in the head. */
export const failing = (code: grpc.status, onCall: () => void = () => {}): Handlers => ({
  unary: (_: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
    onCall();
    done({ code, details: 'by the server' });
  },
});

/** The status in trailers: a head went before it. */
export const failingLate = (code: grpc.status, onCall: () => void = () => {}): Handlers => ({
  unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
    onCall();
    call.sendMetadata(new grpc.Metadata());
    done({ code, details: 'by the server' });
  },
});

/** A route with more to its action. */
export function route(
  cluster_: string,
  action: object,
  more: Omit<RouteInit & object, '$typeName' | 'action'> | object = {},
): RouteInit {
  const base = toCluster(cluster_);
  const { value } = base.action as { value: object };
  return { ...base, ...more, action: { case: 'route', value: { ...value, ...action } } } as RouteInit;
}

export const retries = (on: string, numRetries = 2) => ({
  retryPolicy: { retryOn: on, numRetries, retryBackOff: { baseInterval: { nanos: 1_000_000 } } },
});

/** Says by whom each call was answered. */
export async function shares(client: EchoClient, calls: number, metadata = {}): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (let i = 0; i < calls; i++) {
    const name = String((await unary(client, metadata)).value);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}
