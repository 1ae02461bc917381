import { describe, expect, it } from 'vitest';
import { destinationRule, idOf, peerAuthentication, service } from '../../harness/secure-world.ts';
import { freePort } from '../envoy-policy/free-port.ts';
import { seen, showApp, showHttp2App } from './apps.ts';
import { callThrough, callTls } from './call.ts';
import { binary, clusterOf, startCaller, startGuarded, startSidecar, until, useWorlds } from './live.ts';

const start = useWorlds();

describe.skipIf(binary === '')('Envoy calls a guarded server', () => {
  it.each([
    ['STRICT', '1.1', 'http'],
    ['STRICT', '2.0', 'http2'],
    ['PERMISSIVE', '1.1', 'http'],
    ['PERMISSIVE', '2.0', 'http2'],
  ])('%s, HTTP/%s: its identity is proven, its cluster comes on demand', async (mode, version, portName) => {
    const port = await freePort();
    const world = await start(service('guarded', 'reviews', port, portName) + peerAuthentication(mode));
    const guarded = await startGuarded(world, port, version === '2.0' ? showHttp2App() : showApp());
    const envoy = await startCaller(world);
    const answer = await callThrough(undefined, await envoy.port('outbound'), { 'x-cluster': clusterOf('guarded') });
    expect(seen(answer.text)).toMatchObject({ peer: idOf('web'), version });
    expect(guarded.stats().refused).toEqual({});
  });

  it('in plain: PERMISSIVE takes it without an identity, STRICT does not', async () => {
    const port = await freePort();
    const plain = destinationRule('guarded', '{ mode: DISABLE }');
    const world = await start(service('guarded', 'reviews', port) + plain + peerAuthentication('PERMISSIVE'));
    const guarded = await startGuarded(world, port);
    const envoy = await startCaller(world);
    const call = async () =>
      callThrough(undefined, await envoy.port('outbound'), { 'x-cluster': clusterOf('guarded') });
    expect(seen((await call()).text)).toEqual(expect.not.objectContaining({ peer: expect.anything() }));
    world.source.apply(peerAuthentication('STRICT'));
    // A call on the connection that the change closes fails before any is refused.
    await until(async () => [(await call()).status, guarded.stats().refused]).toEqual([
      503,
      { 'no-chain': expect.any(Number) },
    ]);
  });

  it('refuses it, where it is another account than those of the service', async () => {
    const port = await freePort();
    const world = await start(service('guarded', 'ratings', port) + peerAuthentication('STRICT'));
    await startGuarded(world, port);
    const envoy = await startCaller(world);
    const answer = await callThrough(undefined, await envoy.port('outbound'), { 'x-cluster': clusterOf('guarded') });
    expect(answer.status).toBe(503);
    expect(await envoy.counter(`cluster.${clusterOf('guarded')}.ssl.fail_verify_san`)).toBeGreaterThan(0);
  });
});

describe.skipIf(binary === '')('meshFetch calls an Envoy with our inbound listener', () => {
  it.each([
    ['http', 'GRPC', false],
    ['http2', 'DELTA_GRPC', true],
  ] as const)('port %s; secrets by %s, a service of their own: %s', async (portName, api, secretService) => {
    const port = await freePort();
    const world = await start(service('reviews', 'reviews', port, portName) + peerAuthentication('STRICT'));
    await startSidecar(world, port, { api, secretService });
    const { mesh } = await world.mesh('web');
    const answer = await mesh.fetch('http://reviews.shop:9080/');
    expect(answer.status).toBe(200);
    expect(seen(await answer.text()).xfcc).toMatch(
      /^By=spiffe:\/\/cluster.local\/ns\/shop\/sa\/reviews;Hash=\w{64};Subject="";URI=spiffe:\/\/cluster.local\/ns\/shop\/sa\/web$/,
    );
  });

  it('refuses an Envoy of another account, and sends it nothing', async () => {
    const port = await freePort();
    const world = await start(service('reviews', 'ratings', port) + peerAuthentication('STRICT'));
    const sidecar = await startSidecar(world, port, { api: 'GRPC', secretService: false });
    const { mesh } = await world.mesh('web');
    for (let time = 0; time < 3; time++) {
      const refused = await mesh.fetch('http://reviews.shop:9080/', THROWN).catch((error: unknown) => error);
      expect(String(refused)).toMatch(/reviews.*ratings/);
    }
    expect(await sidecar.counter('http.inbound.downstream_rq_total')).toBe(0);
  });

  it('an Envoy refuses a client of another trust domain, one without a certificate and one in plain', async () => {
    const port = await freePort();
    const world = await start(service('reviews', 'reviews', port) + peerAuthentication('STRICT'));
    const sidecar = await startSidecar(world, port, { api: 'GRPC', secretService: false });
    await until(() => sidecar.counter('sds.default.update_success')).toBe(1);
    const stranger = await world.ca.issue({ uris: ['spiffe://other.test/ns/shop/sa/web'] });
    await expect(callTls(world.ca, port, stranger)).rejects.toThrow();
    await expect(callTls(world.ca, port, undefined)).rejects.toThrow();
    await expect(callThrough(undefined, port, {})).rejects.toThrow();
    expect(await sidecar.counter('http.inbound.downstream_rq_total')).toBe(0);
  });
});

const THROWN = { mesh: { localReply: 'throw' } } as const;
