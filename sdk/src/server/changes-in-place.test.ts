import { once } from 'node:events';
import { createServer } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { listenerOfMode } from './chain.ts';
import { peerOf } from './peer.ts';
import { ask, type Setting, secure, startGuarded } from './server.fixture.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});
const start = async (...args: Parameters<typeof startGuarded>): Promise<Setting> => {
  const setting = await startGuarded(...args);
  open.push(setting);
  return setting;
};

describe('a change that asks for the same TLS', () => {
  it('during a handshake counts for the connection that comes of it, in its routes and faults as well', async () => {
    const setting = await start(
      createServer((request, response) => response.end(peerOf(request)?.serviceAccount)),
      'STRICT',
    );
    const strict = listenerOfMode('STRICT', '0.0.0.0', 9080);
    const fault = { abort: { httpStatus: 418, fraction: { numerator: 100, denominator: 100 } } } as const;
    const requests = { routes: { kind: 'missing', reason: 'none' }, fault } as const;
    const changed = { ...strict, chains: strict.chains.map((chain) => ({ ...chain, requests })) };
    // The server has chosen a chain when it begins to answer.
    const between = net.createServer((near) => {
      const far = net.connect(setting.port, '127.0.0.1');
      near.on('error', () => far.destroy()).pipe(far);
      far
        .on('error', () => near.destroy())
        .once('data', (bytes) => {
          setting.side.listen(changed);
          near.write(bytes);
          far.pipe(near);
        });
    });
    between.listen(0, '127.0.0.1');
    await once(between, 'listening');
    const mutual = await secure({ ...setting, port: (between.address() as AddressInfo).port }, setting.caller);
    expect(await ask(mutual)).toMatchObject({ status: 418 });
    mutual.destroy();
    between.close();
  });

  it('of what is forwarded of certificates counts for the next request of an open connection', async () => {
    const setting = await start(
      createServer((request, response) => response.end(request.headers['x-forwarded-client-cert'] ?? 'none')),
      'STRICT',
    );
    const strict = listenerOfMode('STRICT', '0.0.0.0', 9080);
    const forwarding = (mode: 'FORWARD_ONLY' | 'SANITIZE' | 'SANITIZE_SET', ...parts: ('uri' | 'subject')[]): void =>
      setting.side.listen({
        ...strict,
        chains: strict.chains.map((chain) => ({ ...chain, clientCertificate: { mode, parts: new Set(parts) } })),
      });
    const headers = { 'x-forwarded-client-cert': 'By=forged' };
    forwarding('FORWARD_ONLY');
    const mutual = await secure(setting, setting.caller);
    expect((await ask(mutual, { headers })).text).toBe('By=forged');
    forwarding('SANITIZE');
    expect((await ask(mutual, { headers })).text).toBe('none');
    forwarding('SANITIZE_SET', 'uri');
    expect((await ask(mutual, { headers })).text).toContain('URI=spiffe://cluster.local/ns/default/sa/productpage');
    mutual.destroy();
  });
});
