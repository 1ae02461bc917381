import { readFileSync } from 'node:fs';
import { Client, credentials, ServerCredentials } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { rawMethod } from '../../harness/raw-method.ts';
import { idOf, peerAuthentication, service } from '../../harness/secure-world.ts';
import { freePort } from '../envoy-policy/free-port.ts';
import { bootstrap, type Files, issue } from './certificate-files.ts';
import { until, useWorlds } from './live.ts';

/** One bootstrap a process, and one mode: grpc-js-xds 1.14 ends with a TypeError when a change gives a port TLS. */

const start = useWorlds();
const pass = (bytes: Buffer): Buffer => bytes;
const SAY = rawMethod('/echo.Echo/Say');

const mutual = (files: Files) => {
  const read = (name: keyof Files): Buffer => readFileSync(files[name]);
  return credentials.createSsl(read('ca_certificate_file'), read('private_key_file'), read('certificate_file'), {
    // gRPC asks for a DNS name by itself; the chain is verified.
    checkServerIdentity: (_, { subjectaltname }) =>
      subjectaltname === `URI:${idOf('echo')}` ? undefined : new Error(`${subjectaltname}`),
  });
};

it('a server of grpc-js-xds takes the inbound listener of STRICT, and mutual TLS alone', async () => {
  const port = await freePort();
  const world = await start(service('echo', 'echo', port, 'grpc') + peerAuthentication('STRICT'));
  const [web, echo] = [await issue(world, idOf('web'), 'web'), await issue(world, idOf('echo'), 'echo')];
  process.env.GRPC_XDS_BOOTSTRAP_CONFIG = JSON.stringify(bootstrap(world, 'echo', echo, false));
  const { register, XdsServer, XdsServerCredentials } = await import('@grpc/grpc-js-xds');
  register();
  const server = new XdsServer({});
  world.onClose(() => server.forceShutdown());
  server.addService(
    { Say: SAY },
    { Say: (_: unknown, done: (error: null, value: Buffer) => void) => done(null, Buffer.from('hi')) },
  );
  const insecure = new XdsServerCredentials(ServerCredentials.createInsecure());
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`127.0.0.1:${port}`, insecure, (error) => (error ? reject(error) : resolve())),
  );
  const call = (shown: ReturnType<typeof mutual>): Promise<string> =>
    new Promise((resolve) => {
      const client = new Client(`127.0.0.1:${port}`, shown);
      client.makeUnaryRequest(
        SAY.path,
        pass,
        pass,
        Buffer.from('x'),
        { deadline: Date.now() + 5_000 },
        (error, said) => {
          resolve(error ? error.message : String(said));
          client.close();
        },
      );
    });
  await until(() => call(mutual(web))).toBe('hi');
  expect(await call(credentials.createInsecure())).toMatch(/^(14 UNAVAILABLE|4 DEADLINE_EXCEEDED)/);
  const [client] = world.server.clients().filter(({ userAgent }) => userAgent.startsWith('gRPC Node'));
  expect(JSON.stringify(client)).toContain(`xds.istio.io/grpc/lds/inbound/127.0.0.1:${port}`);
  expect(JSON.stringify(client)).not.toContain('NACK');
});
