import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFakeDns, type FakeDns } from '../../../../test/harness/fake-dns.ts';
import { createResolver, type Resolver } from './resolver.ts';

let dns: FakeDns;
let resolver: Resolver;
beforeEach(async () => {
  dns = await createFakeDns();
  resolver = createResolver({ servers: [dns.server], timeoutMs: 200, tries: 1, lookup: unknown });
});
afterEach(() => dns.close());

const unknown = () => Promise.reject(Object.assign(new Error('not found'), { code: 'ENOTFOUND' }));

describe('dns_lookup_family', () => {
  const both = { addresses: ['10.0.0.1', '10.0.0.2', 'fd00::1'], ttl: 30 };

  it.each([
    { family: 'v4-only', addresses: ['10.0.0.1', '10.0.0.2'], asked: ['A'] },
    { family: 'v6-only', addresses: ['fd00::1'], asked: ['AAAA'] },
    { family: 'auto', addresses: ['fd00::1'], asked: ['AAAA'] },
    { family: 'v4-preferred', addresses: ['10.0.0.1', '10.0.0.2'], asked: ['A'] },
    { family: 'all', addresses: ['10.0.0.1', '10.0.0.2', 'fd00::1'], asked: ['A', 'AAAA'] },
  ] as const)('$family of a name with both', async ({ family, addresses, asked }) => {
    dns.answers.set('db.test', both);
    const answer = await resolver.resolve('db.test', family);
    expect(answer).toMatchObject({ kind: 'addresses', ttlMs: 30_000 });
    expect(answer.kind === 'addresses' && [...answer.addresses].sort()).toEqual(addresses);
    expect(dns.questions.map((text) => text.split(' ')[0]).sort()).toEqual(asked);
  });

  it('auto takes IPv4, and v4-preferred IPv6, where there is nothing else', async () => {
    dns.answers.set('four.test', { addresses: ['10.0.0.1'] });
    dns.answers.set('six.test', { addresses: ['fd00::1'] });
    expect(await resolver.resolve('four.test', 'auto')).toMatchObject({ addresses: ['10.0.0.1'] });
    expect(await resolver.resolve('six.test', 'v4-preferred')).toMatchObject({ addresses: ['fd00::1'] });
    expect(await resolver.resolve('four.test', 'v6-only')).toEqual({ kind: 'none' });
  });
});

describe('an answer', () => {
  it('tells what does not exist from what nobody can say', async () => {
    dns.answers.set('ill.test', 'SERVFAIL').set('mute.test', 'silence');
    expect(await resolver.resolve('gone.test', 'auto')).toEqual({ kind: 'none' });
    expect(await resolver.resolve('ill.test', 'v4-only')).toEqual({ kind: 'failed', reason: 'ill.test: ESERVFAIL' });
    expect(await resolver.resolve('mute.test', 'v4-only')).toEqual({ kind: 'failed', reason: 'mute.test: ETIMEOUT' });
  });

  it('has all of 500 addresses', async () => {
    const addresses = Array.from({ length: 500 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
    dns.answers.set('many.test', { addresses, ttl: 0 });
    const answer = await resolver.resolve('many.test', 'v4-only');
    expect(answer).toMatchObject({ kind: 'addresses', ttlMs: 0 });
    expect(answer.kind === 'addresses' && [...answer.addresses].sort()).toEqual(addresses.sort());
  });

  it('is asked for once, however many want it', async () => {
    dns.answers.set('db.test', { addresses: ['10.0.0.1'] });
    await Promise.all(Array.from({ length: 50 }, () => resolver.resolve('db.test', 'v4-only')));
    expect(dns.questions).toEqual(['A db.test']);
  });

  it('comes from the system for names of one label, and where DNS has none (/etc/hosts)', async () => {
    const asked: string[] = [];
    const hosts = createResolver({
      servers: [dns.server],
      lookup: async (name, family) => {
        asked.push(`${name} ${family}`);
        return [
          { address: '127.0.0.1', family: 4 },
          { address: '::1', family: 6 },
        ];
      },
    });
    expect(await hosts.resolve('localhost', 'v4-only')).toMatchObject({ kind: 'addresses', ttlMs: undefined });
    expect(await hosts.resolve('printer.test', 'auto')).toMatchObject({ addresses: ['::1'] });
    expect(await hosts.resolve('printer.test', 'all')).toMatchObject({ addresses: ['127.0.0.1', '::1'] });
    expect(asked).toEqual(['localhost 4', 'printer.test 0', 'printer.test 0']);
    expect(dns.questions.every((text) => text.endsWith(' printer.test'))).toBe(true);
  });
});
