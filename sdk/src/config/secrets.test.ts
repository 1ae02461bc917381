import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { createTestCa, type TestCertificate } from '../../../test/harness/certificates.ts';
import { settle } from '../../../test/harness/fake-clock.ts';
import { createResourceBoard } from '../../../test/harness/resource-board.ts';
import { anyOf } from '../../../test/harness/scripted-ads.ts';
import * as xds from '../../../test/harness/xds-resources.ts';
import { UpstreamTlsContextSchema } from '../../gen/tls.js';
import { defaultOf } from '../defaults.ts';
import type { MeshEvent } from '../model/events.ts';
import type { Secret } from '../model/secret.ts';
import { clusterType } from '../resource/cluster/cluster.ts';
import { loadAssignmentType } from '../resource/endpoint/load-assignment.ts';
import { listenerType } from '../resource/listener/listener.ts';
import { routeConfigurationType } from '../resource/route/route-configuration.ts';
import { secretType } from '../resource/tls/secret.ts';
import { createSecrets } from './secrets.ts';
import { cluster, decoded, endpoints, inUse, listener, routes, setUp, TARGET } from './targets.fixture.ts';
import type { IdentityPart } from './tls-parts.ts';

let leaf: TestCertificate;
let roots: string;
beforeAll(async () => {
  const ca = await createTestCa();
  roots = ca.pem;
  leaf = await ca.issue({ dns: ['a.test'] });
});

const certificate = (name = 's'): { value: Secret } => ({
  value: { kind: 'certificate', name, certificate: { kind: 'inline', certificate: leaf.pem, key: leaf.keyPem } },
});

function store() {
  const board = createResourceBoard();
  const events: MeshEvent[] = [];
  const secrets = createSecrets({ discovery: board.discovery, emit: (event) => events.push(event) });
  let changes = 0;
  secrets.onChange(() => changes++);
  return { board, events, secrets, changes: () => changes };
}
const holder = { secretChanged() {} };

describe('secrets', () => {
  it('are asked for while somebody holds them, and live', async () => {
    const { board, secrets, changes } = store();
    const other = { secretChanged() {} };
    secrets.hold('s', holder);
    secrets.hold('s', other);
    expect(secrets.isSettled('s')).toBe(false);
    await settle();
    board.post(secretType, 's', certificate());
    await settle();
    const first = secrets.get('s');
    expect(first?.certificate?.key.equals(leaf.key)).toBe(true);
    expect(first?.certificate?.chain).toBe(leaf.pem);
    board.post(secretType, 's', certificate());
    expect(secrets.get('s')?.generation).toBeGreaterThan(first?.generation ?? 0);
    expect(changes()).toBe(2);
    secrets.release('s', other);
    expect(board.watched()).toEqual(['Secret s']);
    secrets.release('s', holder);
    expect(board.watched()).toEqual([]);
    expect(secrets.get('s')).toBeUndefined();
  });

  it('the last good one stays when it is taken back or spoiled, and a warning names it alone', async () => {
    const { board, secrets, events } = store();
    secrets.hold('s', holder);
    await settle();
    board.post(secretType, 's', certificate());
    board.post(secretType, 's', { absent: 'gone' });
    board.post(secretType, 's', { bad: 'mistake' });
    await settle();
    expect(secrets.get('s')?.certificate).toBeDefined();
    expect(events).toEqual([
      { kind: 'warning', message: 'secret s: gone; the last one stays' },
      { kind: 'warning', message: 'secret s: mistake; the last one stays' },
    ]);
  });

  it('one that is not there is settled, and has no value', async () => {
    const { board, secrets, events } = store();
    secrets.hold('s', holder);
    await settle();
    board.post(secretType, 's', { absent: 'does not exist' });
    expect(secrets.isSettled('s')).toBe(true);
    expect(secrets.get('s')).toBeUndefined();
    expect(events).toEqual([{ kind: 'warning', message: 'secret s: does not exist; connections that need it fail' }]);
  });

  it('may be files, which are read when it comes', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-'));
    const { board, secrets, events } = store();
    secrets.hold('s', holder);
    const file = (name: string) => path.join(folder, name);
    writeFileSync(file('c'), leaf.pem);
    writeFileSync(file('k'), leaf.keyPem);
    const held = { kind: 'files', certificate: file('c'), key: file('k') } as const;
    board.post(secretType, 's', { value: { kind: 'certificate', name: 's', certificate: held } });
    expect(secrets.get('s')?.certificate?.chain).toBe(leaf.pem);
    board.post(secretType, 's', { value: { kind: 'roots', name: 's', roots: { kind: 'file', path: file('none') } } });
    expect(events[0]).toMatchObject({ message: expect.stringContaining('ENOENT') });
    rmSync(folder, { recursive: true });
  });

  it('roots of every form, with their revocation lists', () => {
    const { board, secrets } = store();
    secrets.hold('s', holder);
    const post = (of: Extract<Secret, { kind: 'roots' }>['roots']) => {
      board.post(secretType, 's', {
        value: { kind: 'roots', name: 's', roots: of, crl: { kind: 'inline', pem: 'crl' } },
      });
      return secrets.get('s')?.roots;
    };
    expect(post({ kind: 'inline', pem: roots })).toEqual({ pems: [roots], revoked: ['crl'] });
    expect(post({ kind: 'system' })?.pems.length).toBeGreaterThan(50);
    expect(post({ kind: 'bundles', bundles: new Map([['td', roots]]) })).toMatchObject({
      byTrustDomain: new Map([['td', [roots]]]),
    });
  });

  it('whoever prints the store sees no key', async () => {
    const { board, secrets } = store();
    secrets.hold('s', holder);
    await settle();
    board.post(secretType, 's', certificate());
    expect(inspect(secrets, { depth: 20, showHidden: true })).not.toContain('PRIVATE KEY');
    expect(JSON.stringify(secrets.get('s') ?? null)).not.toContain('PRIVATE KEY');
  });
});

const secured = (name: string, secret = 's') => {
  const common = { tlsCertificateSdsSecretConfigs: [{ name: secret }], validationContextType: { case: undefined } };
  const value = anyOf(UpstreamTlsContextSchema, { sni: name, commonTlsContext: common });
  return decoded(
    clusterType,
    xds.cluster(name, { transportSocket: { name: 'tls', configType: { case: 'typedConfig', value } } }),
  );
};

/** A target with one cluster. */
function withTls(identity?: IdentityPart) {
  const board = createResourceBoard();
  const secrets = createSecrets({ discovery: board.discovery, emit: () => {} });
  const all = setUp({ discovery: board.discovery, tls: { secrets, identity } });
  const post = (value: ReturnType<typeof cluster>) => {
    board.post(listenerType, TARGET, listener());
    board.post(routeConfigurationType, 'r', routes('a'));
    board.post(clusterType, 'a', value);
    board.post(loadAssignmentType, 'a', endpoints('a', 1));
  };
  all.targets.lookup(TARGET);
  const state = () => inUse(all.targets.lookup(TARGET));
  const tls = () => {
    const now = all.targets.lookup(TARGET);
    const one = now.kind === 'ready' ? now.config.clusters.get('a') : undefined;
    return one?.kind === 'ready' ? one.config.cluster.tls : undefined;
  };
  return { ...all, board, secrets, post, state, tls };
}

describe('a cluster with secrets', () => {
  it('is warm when they have come', async () => {
    const { board, post, state } = withTls();
    post(secured('a'));
    await settle();
    expect(state()).toBe('pending');
    expect(board.watched()).toContain('Secret s');
    board.post(secretType, 's', certificate());
    await settle();
    expect(state()).toBe('a=1');
  });

  it('waits within bounds: then it is used without, and its connections fail', async () => {
    const { clock, board, post, state } = withTls();
    post(secured('a'));
    await settle();
    await clock.pass(defaultOf('tlsPartsWaitMs'));
    expect(state()).toBe('a=1');
    board.post(secretType, 's', certificate());
    await settle();
    expect(state()).toBe('a=1');
  });

  it('does not wait for one that does not exist', async () => {
    const { board, post, state } = withTls();
    post(secured('a'));
    board.post(secretType, 's', { absent: 'no' });
    await settle();
    expect(state()).toBe('a=1');
  });

  it('goes on as it was until those of a new version have come, within the same bounds', async () => {
    const { clock, board, post, tls } = withTls();
    post(cluster('a'));
    await settle();
    expect(tls()).toBeUndefined();
    board.post(clusterType, 'a', secured('a'));
    await settle();
    expect(tls()).toBeUndefined();
    board.post(secretType, 's', certificate());
    await settle();
    expect(tls()?.certificate).toEqual({ kind: 'secret', name: 's' });
    board.post(clusterType, 'a', secured('a', 'other'));
    await settle();
    expect(board.watched()).toContain('Secret other');
    expect(board.watched()).not.toContain('Secret s');
    expect(tls()?.certificate).toEqual({ kind: 'secret', name: 's' });
    await clock.pass(defaultOf('tlsPartsWaitMs'));
    expect(tls()?.certificate).toEqual({ kind: 'secret', name: 'other' });
  });

  it('lets them go with itself', async () => {
    const { board, post, targets } = withTls();
    post(secured('a'));
    await settle();
    targets.close();
    expect(board.watched()).toEqual([]);
  });

  it('waits for the identity of the process where it asks for it, and begins to find out', async () => {
    let current: object | undefined;
    let started = 0;
    const listeners = new Set<() => void>();
    const { post, state } = withTls({
      current: () => current,
      start: () => void started++,
      onChange(listener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    });
    post(secured('a', 'default'));
    await settle();
    expect(state()).toBe('pending');
    expect(started).toBe(1);
    current = {};
    for (const listener of listeners) listener();
    await settle();
    expect(state()).toBe('a=1');
  });

  it('does not wait for an identity that nobody gives', async () => {
    const { post, state } = withTls(undefined);
    post(secured('a', 'default'));
    await settle();
    expect(state()).toBe('a=1');
  });
});
