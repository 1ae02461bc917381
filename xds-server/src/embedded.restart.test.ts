import { create, fromBinary, type JsonObject, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { Client, credentials } from '@grpc/grpc-js';
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from '@inmesh/sdk/internal/gen/discovery';
import { ClusterLoadAssignmentSchema } from '@inmesh/sdk/internal/gen/endpoint';
import { afterEach, describe, expect, it } from 'vitest';
import { createFakeClock } from '../../test/harness/fake-clock.ts';
import { createXdsServer } from './embedded.ts';
import { memorySource } from './source/memory.ts';
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE } from './translate/resource-types.ts';

const service = (name: string): string => `
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec:
  ports: [{name: http, port: 9080}]
  selector: {app: ${name}}
`;
const CONFIGURED = `
apiVersion: v1
kind: Endpoints
metadata: {name: configured}
subsets: [{addresses: [{ip: 10.0.0.9}], ports: [{name: http, port: 9080}]}]
`;
const YAML = [service('reviews'), service('configured'), CONFIGURED].join('---');
const assignment = (name: string): string => `outbound|9080||${name}.default.svc.cluster.local`;
const ADS = '/envoy.service.discovery.v3.AggregatedDiscoveryService';
const REGISTERS = { INMESH_KIND: 'sdk', INMESH_REGISTER: [{ service: 'reviews', port: 3001 }] };

/** By name: the version that was last told to a delta client. */
const told = new Map<string, string>();
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  told.clear();
});

const pass = (bytes: Buffer): Buffer => bytes;
type Fields = Omit<MessageInitShape<typeof DeltaDiscoveryRequestSchema>, '$typeName'>;

/** A control plane that has just begun to listen. */
async function started() {
  const clock = createFakeClock();
  const server = createXdsServer({ source: memorySource(YAML), clock });
  closers.push(() => server.close());
  const { xds } = await server.listen({ xds: '127.0.0.1:0' });
  const open = (method: string) => {
    const client = new Client(xds, credentials.createInsecure());
    const call = client.makeBidiStreamRequest(`${ADS}/${method}`, pass, pass);
    closers.push(() => {
      call.cancel();
      client.close();
    });
    call.on('error', () => {});
    return call;
  };
  return {
    clock,
    server,
    /** Endpoints, or what does not exist, in the order they were told. */
    delta(metadata: JsonObject, fields: Fields) {
      const call = open('DeltaAggregatedResources');
      const heard: string[] = [];
      call.on('data', (bytes: Buffer) => {
        const { resources, removedResources, typeUrl, nonce } = fromBinary(DeltaDiscoveryResponseSchema, bytes);
        for (const { name, version, resource } of resources) {
          told.set(name, version);
          heard.push(typeUrl === CLUSTER_TYPE ? name : addresses(resource?.value));
        }
        for (const name of removedResources) heard.push(`no ${name}`);
        send({ typeUrl, responseNonce: nonce });
      });
      const send = (message: Fields) =>
        call.write(Buffer.from(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, message))));
      send({ node: { id: 'client', metadata: { NAMESPACE: 'default', ...metadata } }, ...fields });
      return heard;
    },
    sotw(versionInfo: string, ...resourceNames: string[]) {
      const call = open('StreamAggregatedResources');
      const heard: string[] = [];
      call.on('data', (bytes: Buffer) => {
        const { resources } = fromBinary(DiscoveryResponseSchema, bytes);
        heard.push(resources.map(({ value }) => addresses(value)).join(' '));
      });
      const message = { node: { id: 'client', metadata: { NAMESPACE: 'default' } }, versionInfo, resourceNames };
      const request = create(DiscoveryRequestSchema, { typeUrl: ENDPOINT_TYPE, ...message });
      call.write(Buffer.from(toBinary(DiscoveryRequestSchema, request)));
      return heard;
    },
    clients: (count: number) => expect.poll(() => server.clients().length).toBe(count),
  };
}

/** `name: address…` */
function addresses(bytes: Uint8Array | undefined): string {
  const { clusterName, endpoints } = fromBinary(ClusterLoadAssignmentSchema, bytes ?? new Uint8Array());
  const hosts = endpoints.flatMap(({ lbEndpoints }) =>
    lbEndpoints.map(({ hostIdentifier }) =>
      hostIdentifier.case === 'endpoint' && hostIdentifier.value.address?.address.case === 'socketAddress'
        ? hostIdentifier.value.address.address.value.address
        : '?',
    ),
  );
  return `${clusterName.split('|')[3]?.split('.')[0]}: ${hosts.join(' ')}`.trim();
}

const eds = (...names: string[]): Fields => ({ typeUrl: ENDPOINT_TYPE, resourceNamesSubscribe: names.map(assignment) });
const nothing: Fields = { typeUrl: 'type.googleapis.com/inmesh.v1.RouteSources' };

describe('a gRPC client of a control plane that has just started', () => {
  it('is told of configured endpoints at once, and of processes once they are back, never of an empty service', async () => {
    const { clock, delta, sotw, clients } = await started();
    const heard = delta({}, eds('reviews', 'configured'));
    const whole = sotw('', assignment('reviews'), assignment('configured'));
    await expect.poll(() => [heard, whole]).toEqual([['configured: 10.0.0.9'], ['configured: 10.0.0.9']]);
    delta({ ...REGISTERS, INSTANCE_IPS: '10.0.0.1' }, nothing);
    await clients(3);
    // Another process may still be on its way.
    expect([heard, whole]).toEqual([['configured: 10.0.0.9'], ['configured: 10.0.0.9']]);
    await clock.pass(2_000);
    const all = ['configured: 10.0.0.9', 'reviews: 10.0.0.1'];
    await expect.poll(() => [heard, whole]).toEqual([all, all]);
  });

  it('hears after 2 s of who is back, and that nobody is where it holds nothing', async () => {
    const { clock, delta, sotw, clients } = await started();
    const heard = delta({}, eds('reviews'));
    const whole = sotw('', assignment('reviews'));
    await clients(2);
    await clock.pass(1_999);
    expect([heard, whole]).toEqual([[], []]);
    await clock.pass(1);
    await expect.poll(() => [heard, whole]).toEqual([['reviews:'], ['reviews:']]);
    delta({ ...REGISTERS, INSTANCE_IPS: '10.0.0.1' }, nothing);
    await expect.poll(() => heard).toEqual(['reviews:', 'reviews: 10.0.0.1']);
  });

  it('hears nothing of a restart after which every process comes back: not once an empty service', async () => {
    const before = await started();
    before.delta({ ...REGISTERS, INSTANCE_IPS: '10.0.0.1' }, nothing);
    await before.clients(1);
    await before.clock.pass(2_000);
    const first = before.delta({}, eds('reviews'));
    await expect.poll(() => first).toEqual(['reviews: 10.0.0.1']);
    await before.server.close();

    const after = await started();
    const holds = { initialResourceVersions: Object.fromEntries(told) };
    const heard = after.delta({}, { ...eds('reviews'), ...holds });
    await after.clients(1);
    await after.clock.pass(5_000);
    after.delta({ ...REGISTERS, INSTANCE_IPS: '10.0.0.1' }, nothing);
    await after.clients(2);
    await after.clock.pass(10_000);
    await after.server.settled();
    expect(heard).toEqual([]);
  });

  it('keeps what it holds for the 10 s that a lost stream is given, unless a process is back before', async () => {
    const { clock, delta, sotw, clients } = await started();
    const holds = { initialResourceVersions: { [assignment('reviews')]: 'of before' } };
    const heard = delta({}, { ...eds('reviews'), ...holds });
    const whole = sotw('of before', assignment('reviews'));
    await clients(2);
    await clock.pass(9_999);
    expect([heard, whole]).toEqual([[], []]);
    await clock.pass(1);
    await expect.poll(() => [heard, whole]).toEqual([['reviews:'], ['reviews:']]);
  });

  it('keeps for as long a service that only registered processes make', async () => {
    const { clock, delta, clients } = await started();
    const holds = { initialResourceVersions: { 'mailer:80': 'of before' } };
    const heard = delta({}, { typeUrl: LISTENER_TYPE, resourceNamesSubscribe: ['mailer:80', 'nope:80'], ...holds });
    await expect.poll(() => heard).toEqual(['no nope:80']);
    await clients(1);
    await clock.pass(10_000);
    await expect.poll(() => heard).toEqual(['no nope:80', 'no mailer:80']);
  });

  it('keeps a cluster as it was, with the TLS that its endpoints take, until they are back', async () => {
    const { clock, delta, clients } = await started();
    const names = ['reviews', 'configured'].map(assignment);
    const holds = { initialResourceVersions: Object.fromEntries(names.map((name) => [name, 'of before'])) };
    const heard = delta({}, { typeUrl: CLUSTER_TYPE, resourceNamesSubscribe: names, ...holds });
    const first = delta({}, { typeUrl: CLUSTER_TYPE, resourceNamesSubscribe: names });
    await expect.poll(() => [heard, first]).toEqual([[assignment('configured')], names]);
    await clients(2);
    await clock.pass(2_000);
    expect(heard).toEqual([assignment('configured')]);
    delta({ ...REGISTERS, INSTANCE_IPS: '10.0.0.1' }, nothing);
    await expect.poll(() => heard).toEqual([assignment('configured'), assignment('reviews')]);
  });

  it('is an SDK: answered at once, since it keeps what it has by itself', async () => {
    const { delta } = await started();
    const heard = delta({ INMESH_KIND: 'sdk' }, eds('reviews'));
    await expect.poll(() => heard).toEqual(['reviews:']);
  });
});
