import { describe, expect, it } from 'vitest';
import type { CertificateOptions } from '../../harness/certificates.ts';
import { idOf, peerAuthentication, service } from '../../harness/secure-world.ts';
import { freePort } from '../envoy-policy/free-port.ts';
import { seen } from './apps.ts';
import { callThrough, callTls } from './call.ts';
import { binary, clusterOf, startCaller, startGuarded, startSidecar, useWorlds } from './live.ts';

const start = useWorlds();

describe.skipIf(binary === '')('X-Forwarded-Client-Cert', () => {
  it('is what an Envoy with our inbound listener sets for the same client', async () => {
    const [port, sidecarPort] = [await freePort(), await freePort()];
    const world = await start(
      service('guarded', 'reviews', port) + service('sidecar', 'reviews', sidecarPort) + peerAuthentication('STRICT'),
    );
    await startGuarded(world, port);
    await startSidecar(world, sidecarPort, { api: 'GRPC', secretService: true });
    const envoy = await startCaller(world);
    const out = await envoy.port('outbound');
    const sent: readonly Record<string, string | string[]>[] = [
      {},
      { 'x-forwarded-client-cert': 'By=spiffe://a/b;Hash=00;URI=spiffe://a/c' },
      { 'x-forwarded-client-cert': ['By=a;Hash=1', 'By=b;Hash=2'] },
      { 'x-forwarded-client-cert': '' },
      { 'x-forwarded-client-cert': 'Subject="a,b";Hash=3, ' },
    ];
    for (const headers of sent) {
      const ask = async (name: string) => {
        const cluster = clusterOf(name);
        const { text } = await callThrough(undefined, out, { ...headers, 'x-cluster': cluster });
        return seen(text).xfcc;
      };
      const [ours, theirs] = [await ask('guarded'), await ask('sidecar')];
      expect(theirs).toMatch(/URI=spiffe:\/\/cluster.local\/ns\/shop\/sa\/web/);
      expect(ours).toBe(theirs);
    }
  });

  it.each<readonly [string, CertificateOptions]>([
    ['an empty subject', {}],
    ['a subject', { subject: 'CN=web,OU=shop,O=Example,C=DE' }],
    ['DNS names', { dns: ['web.shop', '*.web.shop'] }],
    ['characters of RFC 2253 in the subject', { subject: 'CN=we\\,b \\+ "co\\"\\;<x>=#\\\\, O=\\#1\\ ' }],
    ['a subject in UTF-8', { subject: 'CN=Grüße 𝄞, O=東京' }],
    ['several values in one name', { subject: 'CN=a+OU=b, O=c' }],
    ['less common names in the subject', { subject: 'L=Ulm, ST=BW, DC=example' }],
    [
      'names by number in the subject',
      { subject: '2.5.4.4=b, 2.5.4.42=c, 2.5.4.5=7, 2.5.4.9=Way 1, 2.5.4.17=89073, 0.9.2342.19200300.100.1.1=u' },
    ],
    ['an e-mail address, an IP address', { emails: ['a@b.c'], ips: ['10.0.0.1'] }],
    ['a long list of DNS names', { dns: Array.from({ length: 40 }, (_, at) => `n${at}.shop`) }],
  ])('of a certificate with %s too', async (_, options) => {
    const [port, sidecarPort] = [await freePort(), await freePort()];
    const world = await start(service('guarded', 'reviews', port) + peerAuthentication('STRICT'));
    await startGuarded(world, port);
    await startSidecar(world, sidecarPort, { api: 'DELTA_GRPC', secretService: false });
    const certificate = await world.ca.issue({ uris: [idOf('web')], ...options });
    const ask = async (to: number): Promise<string | undefined> => seen(await callTls(world.ca, to, certificate)).xfcc;
    expect(await ask(port)).toBe(await ask(sidecarPort));
  });
});
