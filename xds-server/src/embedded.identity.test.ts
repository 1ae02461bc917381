import { X509Certificate } from 'node:crypto';
import { SignJWT } from 'jose';
import { afterEach, describe, expect, it } from 'vitest';
import { newTokenKey } from './auth/token-key.ts';
import { closeAll, envoy, node, PRIVATE, REVIEWS, setUp, until } from './embedded/secure-mesh.fixture.ts';
import { createXdsServer } from './embedded.ts';
import { memorySource } from './source/memory.ts';
import { LISTENER_TYPE, SECRET_TYPE } from './translate/resource-types.ts';

afterEach(closeAll);

describe('who comes in over TLS', () => {
  it('is told UNAUTHENTICATED where it shows nothing', async () => {
    const { tls, told } = await setUp();
    const stream = tls().stream(node('a'));
    stream.ask(LISTENER_TYPE, REVIEWS);
    await until(stream.ended).toMatch(/^UNAUTHENTICATED want a bearer token or a client certificate/);
    expect(told.join('\n')).toMatch(/is not let in, no-credential/);
  });

  it('is whom its token proves: metadata that says nothing is filled in', async () => {
    const { tls, token, server } = await setUp();
    const stream = tls({ token: await token('shop', 'web') }).stream(node('a'));
    stream.ask(LISTENER_TYPE, REVIEWS, PRIVATE);
    await until(() => stream.heard.size).toBe(2);
    expect([...stream.heard.values()]).not.toContain('no');
    expect(server.clients()).toMatchObject([{ namespace: 'shop' }]);
  });

  it.each([
    [{ NAMESPACE: 'bank' }, 'NAMESPACE says "bank", the credential proves "shop"'],
    [{ NAMESPACE: 'shop', SERVICE_ACCOUNT: 'root' }, 'SERVICE_ACCOUNT says "root", the credential proves "web"'],
  ])('is refused where its metadata names somebody else: %j', async (metadata, message) => {
    const { tls, token } = await setUp();
    const stream = tls({ token: await token('shop', 'web') }).stream(node('a', metadata));
    stream.ask(LISTENER_TYPE, REVIEWS);
    await until(stream.ended).toBe(`PERMISSION_DENIED node metadata ${message}`);
  });

  it('is whom its certificate proves, which it had for its token', async () => {
    const { tls, token, server } = await setUp();
    const certificate = await tls({ token: await token('shop', 'web') }).certificate();
    const leaf = new X509Certificate(certificate.chain);
    expect(leaf.subjectAltName).toBe('URI:spiffe://cluster.local/ns/shop/sa/web');
    const stream = tls({ certificate }).stream(node('a'));
    stream.ask(LISTENER_TYPE, PRIVATE);
    await until(() => stream.heard.get(PRIVATE)).toMatch(/^(?!no$)/);
    expect(server.clients()).toMatchObject([{ namespace: 'shop' }]);
  });

  it('can have a certificate for itself alone: a CSR that names somebody else is one for who asks', async () => {
    const { tls, token } = await setUp();
    const { chain } = await tls({ token: await token('shop', 'web') }).certificate(
      'spiffe://cluster.local/ns/bank/sa/safe',
    );
    expect(new X509Certificate(chain).subjectAltName).toBe('URI:spiffe://cluster.local/ns/shop/sa/web');
  });
});

describe('a token', () => {
  const forged = (over: object, header: object = {}) =>
    new SignJWT({ iss: 'inmesh', aud: 'istio-ca', sub: 'system:serviceaccount:shop:web', ...over })
      .setProtectedHeader({ alg: 'ES256', typ: 'inmesh-bootstrap+jwt', ...header })
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(newTokenKey());
  const none = () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    return Promise.resolve(`${part({ alg: 'none' })}.${part({ iss: 'inmesh', sub: 'x' })}.`);
  };
  it.each([
    ['of another CA', 'signature', () => forged({})],
    ['whose kid is a path', 'signature', () => forged({}, { kid: '../../bootstrap-token.key' })],
    ['with alg none', 'algorithm', none],
    ['of an issuer nobody trusts', 'issuer', () => forged({ iss: 'https://elsewhere.example' })],
    ['that is garbage', 'malformed', () => Promise.resolve('garbage')],
  ])('%s opens neither stream nor certificate, on either port', async (_what, code, make) => {
    const { tls, plain, told } = await setUp();
    const token = await make();
    for (const peer of [tls({ token }), plain({ token })]) {
      const stream = peer.stream(node('a'));
      stream.ask(LISTENER_TYPE, REVIEWS);
      await until(stream.ended).toMatch(/^UNAUTHENTICATED token: /);
      await expect(peer.certificate()).rejects.toThrow(/UNAUTHENTICATED token: /);
      expect(stream.heard.size).toBe(0);
    }
    expect(told.filter((line) => line.includes(`is not let in, ${code}`))).toHaveLength(4);
    expect(told.join('\n')).not.toContain(token);
  });

  it('that has expired opens nothing; a stream ends when the token that opened it does', async () => {
    const { plain, token, server } = await setUp();
    const short = await token('shop', 'web', 3_000);
    const stream = plain({ token: short }).stream(node('a', { INMESH_REGISTER: [{ service: 'reviews', port: 1 }] }));
    stream.ask(LISTENER_TYPE, PRIVATE);
    await until(() => stream.heard.size).toBe(1);
    await until(stream.ended).toMatch(/^UNAUTHENTICATED the credential that this stream rests on has expired/);
    expect(server.clients()).toEqual([]);
    const late = plain({ token: short }).stream(node('a'));
    late.ask(LISTENER_TYPE, PRIVATE);
    await until(late.ended).toBe('UNAUTHENTICATED token: it has expired');
  });
});

describe('plain text', () => {
  it('believes who is on this machine all but an identity: no certificate, no credentials, the roots', async () => {
    const { plain } = await setUp();
    const peer = plain();
    const stream = peer.stream(envoy('a'));
    stream.ask(SECRET_TYPE, 'default', 'ROOTCA', 'kubernetes://gateway-tls');
    await until(() => stream.heard.size).toBe(3);
    expect([stream.heard.get('default'), stream.heard.get('kubernetes://gateway-tls')]).toEqual(['no', 'no']);
    expect(stream.secrets.get('ROOTCA')?.type.case).toBe('validationContext');
    await expect(peer.certificate()).rejects.toThrow(/UNAUTHENTICATED/);
  });

  it('is not listened for on other addresses unless that is asked for', async () => {
    const server = createXdsServer({ source: memorySource('') });
    await expect(server.listen({ xds: '0.0.0.0:0' })).rejects.toThrow(/plain text is for loopback addresses/);
    await server.close();
  });

  it('gives registrations no identity and no TLS where nothing is proven, both where it is', async () => {
    const { plain, token, server } = await setUp();
    const labels = { 'security.istio.io/tlsMode': 'istio' };
    const registered = (address: string, tls?: string) => ({
      INMESH_REGISTER: [{ service: 'reviews', port: 9080, address, labels, ...(tls !== undefined && { tls }) }],
    });
    const said = { NAMESPACE: 'shop', SERVICE_ACCOUNT: 'root' };
    plain()
      .stream(node('nobody', { ...said, ...registered('10.0.0.1', 'istio') }))
      .ask(LISTENER_TYPE, REVIEWS);
    const web = await token('shop', 'web');
    plain({ token: web })
      .stream(node('web', registered('10.0.0.2', 'istio')))
      .ask(LISTENER_TYPE, REVIEWS);
    plain({ token: web })
      .stream(node('clear', registered('10.0.0.3')))
      .ask(LISTENER_TYPE, REVIEWS);
    await until(() => server.workload('shop', 'clear')?.serviceAccount).toBe('web');
    await until(() => server.workload('shop', 'web')?.serviceAccount).toBe('web');
    await until(() => server.workload('shop', 'nobody')).toBeDefined();
    expect(server.workload('shop', 'nobody')).not.toHaveProperty('serviceAccount');
    const modes = ['nobody', 'web', 'clear'].map((name) =>
      server.workload('shop', name)?.labels.get('security.istio.io/tlsMode'),
    );
    expect(modes).toEqual([undefined, 'istio', undefined]);
  });

  it('lets nobody end what another identity has registered under the same node id', async () => {
    const { plain, token, server } = await setUp();
    const serves = { INMESH_REGISTER: [{ service: 'reviews', port: 9080 }] };
    plain({ token: await token('shop', 'web') })
      .stream(node('pod-1', serves))
      .ask(LISTENER_TYPE, REVIEWS);
    await until(() => server.workload('shop', 'pod-1')).toBeDefined();
    for (const other of [plain({ token: await token('shop', 'other') }), plain()]) {
      const stream = other.stream(node('pod-1', { INMESH_REGISTER: [] }));
      stream.ask(LISTENER_TYPE, REVIEWS);
      await until(() => stream.heard.size).toBe(1);
    }
    expect(server.workload('shop', 'pod-1')?.serviceAccount).toBe('web');
  });
});
