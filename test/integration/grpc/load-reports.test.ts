import { create, toBinary } from '@bufbuild/protobuf';
import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { OrcaLoadReportSchema } from '../../../sdk/gen/services.js';
import { ECHO, Echo, told } from '../../../sdk/src/grpc/peer.fixture.ts';
import { guard, peerOf } from '../../../sdk/src/server/index.ts';
import { rawMethod } from '../../harness/raw-method.ts';
import { idOf, peerAuthentication, service, startWorld, type World } from '../../harness/secure-world.ts';
import { freePort } from '../../interop/envoy-policy/free-port.ts';

/** From a CallPolicy to the weights of servers, all of it by mutual TLS: the streams of load reports too. */

let world: World | undefined;
afterEach(() => world?.close());

const OPEN_RCA = { stream: rawMethod('/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics', false, true) };

const second = (port: number): string => `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: echo-2, namespace: shop }
spec:
  address: 127.0.0.1
  ports: { grpc: ${port} }
  labels: { app: echo, security.istio.io/tlsMode: istio }
  serviceAccount: echo
---`;

const POLICY = `
apiVersion: inmesh.io/v1alpha1
kind: CallPolicy
metadata: { name: echo, namespace: shop }
spec:
  targetRefs: [{ kind: Service, name: echo }]
  weightedByLoad: { outOfBandPeriod: 10s, blackoutPeriod: 0s, weightUpdatePeriod: 100ms }
---`;

async function startServer(of: World, port: number, name: string, cpuUtilization: number) {
  const askers = new Set<string | undefined>();
  const server = new grpc.Server();
  server.addService(ECHO, {
    unary: (_: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => done(null, Buffer.from(name)),
    collect: () => {},
    spread: () => {},
    chat: () => {},
  } as unknown as grpc.UntypedServiceImplementation);
  server.addService(OPEN_RCA, {
    stream: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
      askers.add(peerOf(call as never)?.id);
      const report = create(OrcaLoadReportSchema, { cpuUtilization, rpsFractional: 100 });
      call.write(Buffer.from(toBinary(OrcaLoadReportSchema, report)));
    },
  });
  const { mesh } = await of.mesh('echo');
  const guarded = guard(server, { mesh, host: '127.0.0.1' });
  of.onClose(() => guarded.close({ graceMs: 0 }));
  await guarded.listen(port);
  return askers;
}

describe('a CallPolicy with weightedByLoad', () => {
  it('weighs the servers of a service by what they report out of band, by mutual TLS', async () => {
    const ports = [await freePort(), await freePort()] as const;
    const yaml = service('echo', 'echo', ports[0], 'grpc') + second(ports[1]) + peerAuthentication('STRICT') + POLICY;
    world = await startWorld(yaml);
    const askers = [await startServer(world, ports[0], 'light', 0.2), await startServer(world, ports[1], 'busy', 0.8)];
    const { mesh } = await world.mesh('web');
    const client = mesh.client(Echo as never, 'echo.shop:9080') as InstanceType<typeof Echo>;
    world.onClose(() => client.close());
    const share = async (): Promise<number> => {
      let light = 0;
      for (let i = 0; i < 50; i++) {
        const options = { deadline: Date.now() + 20_000 };
        const { value, error } = await told((done) =>
          client.unary(Buffer.alloc(1), new grpc.Metadata(), options, done),
        );
        expect(error).toBeUndefined();
        if (String(value) === 'light') light++;
      }
      return light / 50;
    };
    await expect.poll(share, { timeout: 60_000, interval: 50 }).toBeCloseTo(0.8, 1);
    for (const of of askers) expect([...of]).toEqual([idOf('web')]);
  });
});
