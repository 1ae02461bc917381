import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { auditFile, type IssuanceRecord } from './audit.ts';
import { csrOf, handClock, REVIEWS } from './authority.fixture.ts';
import { createAuthority } from './authority.ts';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'inmesh-audit-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const record: IssuanceRecord = {
  atMs: 0,
  principal: REVIEWS,
  via: 'kubernetes',
  names: { uris: [REVIEWS], dns: ['a'], ips: ['::1'] },
  outcome: 'issued',
  serial: '0A',
  notAfterMs: 1_000,
};

describe('the log of issuance', () => {
  it('is one line of JSON each, in order, in a file that only its owner reads', async () => {
    const file = path.join(folder, 'issued.jsonl');
    const log = auditFile(file);
    await Promise.all(Array.from({ length: 20 }, (_, atMs) => log({ ...record, atMs })));
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(lines).toHaveLength(20);
    expect(lines[3]).toBe(
      `{"time":"1970-01-01T00:00:00.003Z","principal":"${REVIEWS}","via":"kubernetes","outcome":"issued","serial":"0A","names":["URI:${REVIEWS}","DNS:a","IP:::1"],"notAfter":"1970-01-01T00:00:01.000Z"}`,
    );
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('is begun anew at 16 MiB; the one before stays', async () => {
    const file = path.join(folder, 'issued.jsonl');
    writeFileSync(file, '');
    truncateSync(file, 16_777_216);
    await auditFile(file)(record);
    expect(statSync(`${file}.1`).size).toBe(16_777_216);
    expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(2);
  });

  it('stands in the directory of the CA, and holds no key and no request', async () => {
    const authority = await createAuthority({ trustDomain: 'cluster.local', directory: folder, clock: handClock() });
    const csrPem = await csrOf();
    const { serial } = await authority.issue({
      csrPem,
      names: { uris: [REVIEWS] },
      ttlMs: 0,
      requester: { principal: REVIEWS, via: 'oidc' },
    });
    await expect(authority.issue({ csrPem: 'x', names: { uris: [REVIEWS] }, ttlMs: 0 })).rejects.toThrow('csr:');
    const text = readFileSync(path.join(folder, 'issued.jsonl'), 'utf8');
    expect(text).toContain(`"serial":"${serial}"`);
    expect(text).toContain('"outcome":"refused","reason":"malformed"');
    expect(text).not.toMatch(/PRIVATE|BEGIN|MI[A-Za-z0-9+/]{20}/);
    authority.close();
  });

  it('that cannot be written does not take identities away: it is told', async () => {
    const problems: string[] = [];
    const authority = await createAuthority({
      trustDomain: 'cluster.local',
      audit: () => Promise.reject(new Error('no space left')),
      onProblem: (text) => problems.push(text),
    });
    await authority.issue({ csrPem: await csrOf(), names: { uris: [REVIEWS] }, ttlMs: 0 });
    expect(problems).toEqual(['audit log: no space left']);
    authority.close();
  });
});
