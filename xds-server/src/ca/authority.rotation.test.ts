import { X509Certificate } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { csrOf, DAY_MS, handClock, REVIEWS } from './authority.fixture.ts';
import { type Authority, type AuthorityBundle, type AuthorityOptions, createAuthority } from './authority.ts';
import { directoryStore } from './directory-store.ts';
import { memoryStore } from './store.ts';

let folder = '';
const opened: Authority[] = [];

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'inmesh-ca-'));
});

afterEach(() => {
  for (const authority of opened.splice(0)) authority.close();
  rmSync(folder, { recursive: true, force: true });
});

async function open(options: Partial<AuthorityOptions> = {}): Promise<Authority> {
  const authority = await createAuthority({ trustDomain: 'cluster.local', ...options });
  opened.push(authority);
  return authority;
}

const issue = async (authority: Authority, ttlMs = 0) =>
  authority.issue({ csrPem: await csrOf(), names: { uris: [REVIEWS] }, ttlMs });

/** Whether a verifier that holds these roots, and no others, takes the leaf. */
function isTrusted(leaf: string | undefined, { roots }: AuthorityBundle): boolean {
  const certificate = new X509Certificate(leaf ?? '');
  return roots
    .map((pem) => new X509Certificate(pem))
    .some((root) => certificate.checkIssued(root) && certificate.verify(root.publicKey));
}

/** The order in which the store writes; what goes is taken away after that. */
const WRITTEN = [
  'next-key.pem',
  'next-cert.pem',
  'retired-key.pem',
  'retired-cert.pem',
  'root-cert.pem',
  'ca-key.pem',
  'ca-cert.pem',
  'ca-state.json',
];

/** Every state of the files between two, as a power cut would leave them. */
function tornCopies(before: string, after: string): string[] {
  const has = (from: string, file: string) => existsSync(path.join(from, file));
  const changes = [
    ...WRITTEN.filter((file) => has(after, file)).map(
      (file) => (torn: string) => cpSync(path.join(after, file), path.join(torn, file)),
    ),
    ...WRITTEN.filter((file) => has(before, file) && !has(after, file)).map(
      (file) => (torn: string) => rmSync(path.join(torn, file)),
    ),
  ];
  return Array.from({ length: changes.length + 1 }, (_, count) => {
    const torn = `${before}-torn-${count}`;
    cpSync(before, torn, { recursive: true });
    for (const change of changes.slice(0, count)) change(torn);
    return torn;
  });
}

describe('a new root', () => {
  it('is trusted first, signs a day later, and the old one is trusted until its last leaf has ended', async () => {
    const clock = handClock();
    const authority = await open({ clock });
    const before = authority.bundle();
    const old = await issue(authority, 90 * DAY_MS);
    const heard: AuthorityBundle[] = [];
    authority.onBundle((bundle) => heard.push(bundle));

    await authority.rotateRoot();
    expect(authority.bundle().roots).toHaveLength(2);
    expect(authority.bundle().roots[0]).toBe(before.roots[0]);
    expect((await issue(authority)).chain.at(-1)).toBe(before.roots[0]);

    clock.advance(DAY_MS);
    await vi.waitFor(() => expect(heard).toHaveLength(2), 20_000);
    const between = await issue(authority);
    expect(between.chain.at(-1)).not.toBe(before.roots[0]);
    // Whoever has only heard the first announcement takes leaves of both roots.
    for (const bundle of heard) for (const { chain } of [old, between]) expect(isTrusted(chain[0], bundle)).toBe(true);

    clock.advance(90 * DAY_MS - 1_000);
    await issue(authority);
    expect(isTrusted(old.chain[0], authority.bundle())).toBe(true);
    clock.advance(DAY_MS);
    await vi.waitFor(() => expect(authority.bundle().roots).toHaveLength(1), 20_000);
    expect(isTrusted(old.chain[0], authority.bundle())).toBe(false);
  });

  it('comes by itself in the last 20 % of the life of the one before (Istio)', async () => {
    const clock = handClock();
    const authority = await open({ clock, settings: { rootMs: 100 * DAY_MS, maxCertificateMs: 5 * DAY_MS } });
    clock.advance(79 * DAY_MS);
    await authority.revoke('01');
    expect(authority.bundle().roots).toHaveLength(1);
    clock.advance(2 * DAY_MS);
    await vi.waitFor(() => expect(authority.bundle().roots).toHaveLength(2), 20_000);
    clock.advance(DAY_MS);
    await vi.waitFor(() => expect(authority.status().nextSignsAtMs).toBeUndefined(), 20_000);
    const { notAfterMs } = await issue(authority, 5 * DAY_MS);
    expect(notAfterMs).toBe(clock.wallTime() + 5 * DAY_MS);
  });

  it('survives a restart at every stage', async () => {
    const clock = handClock();
    const directory = path.join(folder, 'ca');
    const first = await open({ clock, directory });
    const [a] = first.bundle().roots;
    await first.rotateRoot({ delayMs: 1_000 });
    const [, b] = first.bundle().roots;
    first.close();

    const second = await open({ clock, directory });
    expect(second.bundle().roots).toEqual([a, b]);
    expect((await issue(second)).chain.at(-1)).toBe(a);
    second.close();

    clock.advance(1_000);
    const third = await open({ clock, directory });
    expect(third.bundle().roots).toEqual([b, a]);
    expect((await issue(third)).chain.at(-1)).toBe(b);
    third.close();

    clock.advance(90 * DAY_MS);
    const fourth = await open({ clock, directory });
    expect(fourth.bundle().roots).toEqual([b]);
  });

  it('is finished, or not begun, wherever a write of files was cut off', async () => {
    const clock = handClock();
    const directory = path.join(folder, 'ca');
    const settings = { maxCertificateMs: 5 * DAY_MS };
    // Closed at once: it looks at its files no more, and goes on issuing.
    const reopen = async (from: string) => {
      const authority = await open({ clock, directory: from, settings });
      authority.close();
      return authority;
    };
    await reopen(directory);
    const announce = (days: number) => async () => {
      clock.advance(days * DAY_MS);
      await (await reopen(directory)).rotateRoot({ delayMs: DAY_MS });
    };
    const wait = (days: number) => async () => {
      clock.advance(days * DAY_MS);
      await reopen(directory);
    };
    // Which roots are trusted in the middle: all of both sides, or, where time has ended one, those of after.
    const steps: readonly (readonly [step: () => Promise<void>, trusted: 'either' | 'both' | 'after'])[] = [
      [announce(0), 'either'],
      [wait(1), 'both'],
      [announce(2), 'either'],
      [wait(1), 'both'],
      [wait(2), 'after'],
      [wait(3), 'after'],
    ];
    const counts: number[] = [];
    for (const [number, [step, trusted]] of steps.entries()) {
      const copy = path.join(folder, `before-${number}`);
      cpSync(directory, copy, { recursive: true });
      const before = (await reopen(directory)).bundle().roots;
      await step();
      const after = await reopen(directory);
      const sides = new Set([...before, ...after.bundle().roots]);
      counts.push(after.bundle().roots.length);
      for (const torn of tornCopies(copy, directory)) {
        const reopened = await reopen(torn);
        const { roots } = reopened.bundle();
        expect([...sides]).toEqual(expect.arrayContaining([...roots]));
        if (trusted === 'both') expect(roots).toHaveLength(sides.size);
        if (trusted === 'after') expect([...roots].sort()).toEqual([...after.bundle().roots].sort());
        const { chain } = await issue(reopened);
        expect(isTrusted(chain[0], after.bundle())).toBe(true);
      }
    }
    expect(counts).toEqual([2, 2, 3, 3, 2, 1]);
  });

  it('is asked of one process and followed by the others of the same store', async () => {
    const clock = handClock();
    const store = memoryStore();
    const [one, other] = [await open({ clock, store }), await open({ clock, store })];
    await one.rotateRoot({ delayMs: 0 });
    clock.advance(10_000);
    await vi.waitFor(() => expect(other.bundle()).toEqual(one.bundle()), 20_000);
    expect((await issue(other)).chain.at(-1)).toBe((await issue(one)).chain.at(-1));
  });

  it('is one root where several processes begin with an empty store together', async () => {
    const directory = path.join(folder, 'ca');
    const all = await Promise.all(Array.from({ length: 4 }, () => open({ directory })));
    const roots = new Set(all.map((authority) => authority.bundle().roots.join()));
    expect(roots.size).toBe(1);
  });

  it('is not made over files that do not fit: the CA goes on with what it had and says so', async () => {
    const clock = handClock();
    const directory = path.join(folder, 'ca');
    const problems: string[] = [];
    const authority = await open({ clock, directory, onProblem: (text) => problems.push(text) });
    const root = readFileSync(path.join(directory, 'ca-cert.pem'), 'utf8');
    writeFileSync(path.join(directory, 'ca-cert.pem'), 'nonsense');
    clock.advance(10_000);
    await vi.waitFor(() => expect(problems).toHaveLength(1), 20_000);
    expect(problems[0]).toBe(
      `directory ${directory}: ca-cert.pem: a certificate in PEM is expected; certificates are issued as before`,
    );
    await expect(issue(authority)).resolves.toBeDefined();
    await expect(open({ clock, directory })).rejects.toThrow('ca-cert.pem: a certificate in PEM is expected');
    writeFileSync(path.join(directory, 'ca-cert.pem'), root);
    clock.advance(10_000);
    await expect(authority.rotateRoot()).resolves.toBeUndefined();
  });

  it('keeps foreign roots of root-cert.pem trusted', async () => {
    const clock = handClock();
    const directory = path.join(folder, 'ca');
    const foreign = (await open()).bundle().roots[0] ?? '';
    const authority = await open({ clock, directory });
    const own = authority.bundle().roots[0] ?? '';
    writeFileSync(path.join(directory, 'root-cert.pem'), own + foreign);
    await authority.rotateRoot({ delayMs: 0 });
    expect(authority.bundle().roots).toContain(foreign);
    const { entries } = (await directoryStore(directory).read()) ?? { entries: new Map() };
    expect(entries.get('root-cert.pem')).toContain(foreign);
  });

  it('signs at once where the one before has ended while nothing ran', async () => {
    const clock = handClock();
    const directory = path.join(folder, 'ca');
    const settings = { rootMs: 10 * DAY_MS };
    (await open({ clock, directory, settings })).close();
    clock.advance(20 * DAY_MS);
    const late = await open({ clock, directory, settings });
    expect(late.bundle().roots).toHaveLength(1);
    const { notAfterMs } = await issue(late);
    expect(notAfterMs).toBe(clock.wallTime() + DAY_MS);
  });
});
