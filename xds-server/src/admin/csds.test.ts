import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { Client, type ClientDuplexStream, credentials, status } from '@grpc/grpc-js';
import { DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema } from '@inmesh/sdk/internal/gen/discovery';
import { ListenerSchema } from '@inmesh/sdk/internal/gen/listener';
import {
  type ClientConfig,
  ClientResourceStatus,
  ClientStatusRequestSchema,
  type ClientStatusResponse,
  ClientStatusResponseSchema,
  ConfigStatus,
} from '@inmesh/sdk/internal/gen/services';
import { afterEach, expect, it } from 'vitest';
import { createXdsServer } from '../embedded.ts';
import { memorySource } from '../source/memory.ts';
import { LISTENER_TYPE } from '../translate/resource-types.ts';

const service = (name: string): string => `
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec:
  ports: [{name: http, port: 9080}]
`;
const ADS = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
const CSDS = '/envoy.service.status.v3.ClientStatusDiscoveryService';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const pass = (bytes: Buffer): Buffer => bytes;
const askFor = (fields: MessageInitShape<typeof ClientStatusRequestSchema>): Buffer =>
  Buffer.from(toBinary(ClientStatusRequestSchema, create(ClientStatusRequestSchema, fields)));
const readStatus = (bytes: Buffer): ClientStatusResponse => fromBinary(ClientStatusResponseSchema, bytes);

async function setUp() {
  const source = memorySource([service('reviews'), service('ratings')].join('---'));
  const server = createXdsServer({ source });
  closers.push(() => server.close());
  const { xds, admin } = await server.listen({ xds: '127.0.0.1:0', admin: '127.0.0.1:0' });
  const clientOf = (address: string): Client => {
    const client = new Client(address, credentials.createInsecure());
    closers.push(() => client.close());
    return client;
  };
  const tools = clientOf(admin);
  return {
    source,
    server,
    admin,
    tools,
    /** A client of its own that answers with what `refusal` says of a response. */
    stream(id: string, names: readonly string[], refusal: (type: string) => string | undefined = () => undefined) {
      const call: ClientDuplexStream<Buffer, Buffer> = clientOf(xds).makeBidiStreamRequest(ADS, pass, pass);
      closers.push(() => call.cancel());
      call.on('error', () => {});
      const send = (fields: MessageInitShape<typeof DeltaDiscoveryRequestSchema>) =>
        call.write(Buffer.from(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, fields))));
      call.on('data', (bytes: Buffer) => {
        const { typeUrl, nonce } = fromBinary(DeltaDiscoveryResponseSchema, bytes);
        const reason = refusal(typeUrl);
        send({ typeUrl, responseNonce: nonce, ...(reason !== undefined && { errorDetail: { message: reason } }) });
      });
      send({
        node: { id, metadata: { NAMESPACE: 'default', INMESH_KIND: 'sdk' } },
        typeUrl: LISTENER_TYPE,
        resourceNamesSubscribe: [...names],
      });
    },
    fetchStatus: (fields: MessageInitShape<typeof ClientStatusRequestSchema> = {}) =>
      new Promise<ClientStatusResponse>((resolve, reject) =>
        tools.makeUnaryRequest(`${CSDS}/FetchClientStatus`, pass, readStatus, askFor(fields), (error, response) =>
          response === undefined ? reject(error) : resolve(response),
        ),
      ),
  };
}

/** `name status`, in the order of names. */
const summary = (config: ClientConfig | undefined): readonly string[] =>
  (config?.genericXdsConfigs ?? [])
    .map(
      ({ name, clientStatus, configStatus }) =>
        `${name} ${ClientResourceStatus[clientStatus]} ${ConfigStatus[configStatus]}`,
    )
    .sort();

it('tells of every client and resource what became of it, with its bytes and the client’s own words (gRFC A40)', async () => {
  const { stream, server, fetchStatus } = await setUp();
  stream('web', ['reviews:9080', 'nope:9080']);
  stream('picky', ['reviews:9080', 'ratings:9080'], () => 'ratings:9080: not to my taste');
  await expect.poll(() => server.clients().length).toBe(2);
  await server.settled();
  const { config } = await fetchStatus();
  const [web, picky] = ['web', 'picky'].map((id) => config.find(({ node }) => node?.id === id));
  expect(summary(web)).toEqual(['nope:9080 DOES_NOT_EXIST SYNCED', 'reviews:9080 ACKED SYNCED']);
  expect(summary(picky)).toEqual(['ratings:9080 NACKED ERROR', 'reviews:9080 ACKED SYNCED']);
  const [nope, reviews] = web?.genericXdsConfigs.toSorted((a, b) => (a.name < b.name ? -1 : 1)) ?? [];
  expect(nope?.xdsConfig).toBeUndefined();
  expect(reviews?.versionInfo).not.toBe('');
  expect(reviews?.lastUpdated?.seconds).toBeGreaterThan(0n);
  expect(reviews?.xdsConfig && anyUnpack(reviews.xdsConfig, ListenerSchema)?.name).toBe('reviews:9080');
  const refused = picky?.genericXdsConfigs.find(({ name }) => name === 'ratings:9080');
  expect(refused?.errorState).toMatchObject({
    details: 'ratings:9080: not to my taste',
    versionInfo: refused?.versionInfo,
  });
});

it('leaves out bytes when asked to, and clients that no node matcher fits', async () => {
  const { stream, server, fetchStatus } = await setUp();
  stream('web', ['reviews:9080']);
  stream('api', ['reviews:9080']);
  await expect.poll(() => server.clients().length).toBe(2);
  await server.settled();
  const { config } = await fetchStatus({
    excludeResourceContents: true,
    nodeMatchers: [{ nodeId: { matchPattern: { case: 'exact', value: 'api' } } }],
  });
  expect(config.map(({ node }) => node?.id)).toEqual(['api']);
  expect(config[0]?.genericXdsConfigs.map(({ xdsConfig, versionInfo }) => [xdsConfig, versionInfo !== ''])).toEqual([
    [undefined, true],
  ]);
});

it('answers each request of a stream with the state of that moment', async () => {
  const { stream, server, tools } = await setUp();
  const call = tools.makeBidiStreamRequest(`${CSDS}/StreamClientStatus`, pass, readStatus);
  const heard: string[][] = [];
  call.on('data', ({ config }: ClientStatusResponse) => heard.push(config.flatMap(summary)));
  call.write(askFor({}));
  await expect.poll(() => heard).toEqual([[]]);
  stream('web', ['reviews:9080']);
  await expect.poll(() => server.clients().length).toBe(1);
  await server.settled();
  call.write(askFor({}));
  call.end();
  await expect.poll(() => heard).toEqual([[], ['reviews:9080 ACKED SYNCED']]);
});

it('refuses a matcher that cannot be read (INVALID_ARGUMENT)', async () => {
  const { fetchStatus } = await setUp();
  const matcher = { nodeId: { matchPattern: { case: 'safeRegex' as const, value: { regex: '(' } } } };
  await expect(fetchStatus({ nodeMatchers: [matcher] })).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
});

it('tells the same as JSON to people, and is not on the ADS port', async () => {
  const { stream, server, admin } = await setUp();
  stream('web', ['reviews:9080']);
  await expect.poll(() => server.clients().length).toBe(1);
  await server.settled();
  const page = async (query: string) => (await fetch(`http://${admin}/csds${query}`)).json();
  expect(await page('?client=web&contents=1')).toMatchObject({
    config: [
      {
        node: { id: 'web' },
        genericXdsConfigs: [{ name: 'reviews:9080', clientStatus: 'ACKED', xdsConfig: { name: 'reviews:9080' } }],
      },
    ],
  });
  expect(await page('?client=nobody')).toEqual({});
});

it('is reached over a unix socket as well', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-'));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  const server = createXdsServer({ source: memorySource(service('reviews')) });
  closers.push(() => server.close());
  const { admin } = await server.listen({ admin: `unix:${path.join(folder, 'admin.sock')}` });
  const client = new Client(admin, credentials.createInsecure());
  closers.push(() => client.close());
  const answer = new Promise<ClientStatusResponse | undefined>((resolve) =>
    client.makeUnaryRequest(`${CSDS}/FetchClientStatus`, pass, readStatus, askFor({}), (_error, response) =>
      resolve(response),
    ),
  );
  expect((await answer)?.config).toEqual([]);
});

it('lists a client under the types that it asks for, and no others', async () => {
  const { stream, server } = await setUp();
  stream('web', ['reviews:9080']);
  await expect.poll(() => server.clients().length).toBe(1);
  await server.settled();
  expect(Object.keys(server.clients()[0]?.types ?? {})).toEqual(['lds']);
});
