import { describe, expect, it } from 'vitest';
import { createFakeClock, settle } from '../../../test/harness/fake-clock.ts';
import { createResourceBoard } from '../../../test/harness/resource-board.ts';
import { defaultOf } from '../defaults.ts';
import type { MeshEvent } from '../model/events.ts';
import type { InboundChain, InboundListener } from '../model/inbound.ts';
import { listenerType } from '../resource/listener/listener.ts';
import { routeConfigurationType } from '../resource/route/route-configuration.ts';
import { secretType } from '../resource/tls/secret.ts';
import { configuration, virtualHost } from '../route/route.fixture.ts';
import { createInbound, type Inbound } from './inbound.ts';
import { createSecrets } from './secrets.ts';
import { listener } from './targets.fixture.ts';

const inboundListener = (more: Partial<InboundListener> = {}): { value: InboundListener } => ({
  value: { name: 'in/0.0.0.0:80', address: '0.0.0.0', port: 80, chains: [], limits: {}, ...more },
});
const secured = inboundListener({
  chains: [
    {
      name: 'c',
      applicationProtocols: [],
      clientCertificate: { mode: 'SANITIZE', parts: new Set() },
      tls: {
        alpn: [],
        certificate: { kind: 'secret', name: 's' },
        roots: { kind: 'mesh' },
        subjectAltNames: [],
        requireClientCertificate: true,
      },
    },
  ],
});

function setUp() {
  const clock = createFakeClock();
  const board = createResourceBoard();
  const events: MeshEvent[] = [];
  const emit = (event: MeshEvent) => void events.push(event);
  const { discovery } = board;
  const tls = { secrets: createSecrets({ discovery, emit }), identity: undefined };
  const inbound = createInbound({ discovery, clock, emit, tls, listenerName: (at) => `in/${at}` });
  const told: (string | undefined)[] = [];
  const watch = () =>
    inbound.watch('0.0.0.0', 80, ({ listener: found }) => told.push(found && (found.configPath ?? 'found')));
  return { clock, board, events, inbound, told, watch };
}
const NAME = 'in/0.0.0.0:80';

describe('the listeners of this process', () => {
  it('are asked for by address and port, and told at each change', async () => {
    const { board, inbound, told, watch } = setUp();
    expect(inbound.lookup('0.0.0.0', 80)).toMatchObject({ isSettled: false });
    expect(board.watched()).toEqual([`Listener ${NAME}`]);
    watch();
    await settle();
    board.post(listenerType, NAME, inboundListener());
    board.post(listenerType, NAME, inboundListener({ configPath: 'second' }));
    expect(told).toEqual(['found', 'second']);
    const stop = watch();
    await settle();
    expect(told).toEqual(['found', 'second', 'second']);
    stop();
    board.post(listenerType, NAME, inboundListener({ configPath: 'third' }));
    expect(told).toEqual(['found', 'second', 'second', 'third']);
    inbound.lookup('::1', 81);
    expect(board.watched()).toContain('Listener in/[::1]:81');
    inbound.close();
    expect(board.watched()).toEqual([]);
  });

  it('a port the control plane knows nothing of is told as such', async () => {
    const { board, told, watch } = setUp();
    watch();
    await settle();
    board.post(listenerType, NAME, { absent: 'does not exist' });
    await settle();
    expect(told).toContain(undefined);
  });

  it('one that is taken back or spoiled leaves the last one in force: a control plane that forgets opens no port', async () => {
    const { board, inbound, told, watch } = setUp();
    watch();
    await settle();
    board.post(listenerType, NAME, inboundListener());
    board.post(listenerType, NAME, { absent: 'gone' });
    board.post(listenerType, NAME, { bad: 'mistake' });
    await settle();
    expect(told).toEqual(['found']);
    expect(inbound.lookup('0.0.0.0', 80).listener).toBeDefined();
  });

  it('one for another port, or of a client, is none', async () => {
    const { board, inbound, events, watch } = setUp();
    watch();
    await settle();
    board.post(listenerType, NAME, inboundListener({ port: 81 }));
    board.post(listenerType, NAME, listener());
    await settle();
    expect(inbound.lookup('0.0.0.0', 80).listener).toBeUndefined();
    expect(events).toMatchObject([
      { message: expect.stringContaining('it is for 0.0.0.0, port 81; 0.0.0.0, port 80 was asked for') },
      { message: expect.stringContaining('it is a client’s') },
    ]);
  });

  it('is in force when its secrets have come, or have had their time', async () => {
    const { clock, board, told, watch } = setUp();
    watch();
    await settle();
    board.post(listenerType, NAME, secured);
    await settle();
    expect(told).toEqual([]);
    expect(board.watched()).toContain('Secret s');
    board.post(secretType, 's', { absent: 'no' });
    await settle();
    expect(told).toEqual(['found']);
    const late = setUp();
    late.watch();
    late.board.post(listenerType, NAME, secured);
    await late.clock.pass(defaultOf('tlsPartsWaitMs'));
    expect(late.told).toEqual(['found']);
    expect(clock.now()).toBeGreaterThanOrEqual(0);
  });

  describe('routes by RDS (gRFC A36)', () => {
    const requests = { routes: { kind: 'rds', routeConfigurationName: 'r' } } as const;
    const named: InboundChain = {
      ...{ name: 'c', applicationProtocols: [], requests },
      clientCertificate: { mode: 'SANITIZE', parts: new Set() },
    };
    const routesOf = (inbound: Inbound) => inbound.lookup('0.0.0.0', 80).listener?.chains[0]?.requests?.routes;

    it('are waited for, stand in the listener, and change with it in force', async () => {
      const { board, inbound, told, watch } = setUp();
      watch();
      board.post(listenerType, NAME, inboundListener({ chains: [named] }));
      await settle();
      expect(told).toEqual([]);
      expect(board.watched()).toContain('RouteConfiguration r');
      board.post(routeConfigurationType, 'r', { value: configuration([]) });
      expect(routesOf(inbound)).toMatchObject({ kind: 'inline', routeConfiguration: { virtualHosts: [] } });
      board.post(routeConfigurationType, 'r', { value: configuration([virtualHost('v', ['*'], [])]) });
      expect(told).toEqual(['found', 'found']);
      expect(routesOf(inbound)).toMatchObject({ routeConfiguration: { virtualHosts: [{ name: 'v' }] } });
    });

    it('that do not exist, or are bad at first, are missing, and the port is served; known ones stay', async () => {
      const { board, inbound, events, watch } = setUp();
      watch();
      board.post(listenerType, NAME, inboundListener({ chains: [named] }));
      await settle();
      board.post(routeConfigurationType, 'r', { absent: 'does not exist' });
      expect(routesOf(inbound)).toEqual({ kind: 'missing', reason: 'route configuration "r": does not exist' });
      expect(events).toContainEqual({ kind: 'warning', message: expect.stringContaining('"r": does not exist') });
      board.post(routeConfigurationType, 'r', { value: configuration([]) });
      board.post(routeConfigurationType, 'r', { absent: 'gone' });
      board.post(routeConfigurationType, 'r', { bad: 'mistake' });
      expect(routesOf(inbound)).toMatchObject({ kind: 'inline' });
    });

    it('that never come are waited for as long as anything is', async () => {
      const { board, clock, inbound, watch } = setUp();
      watch();
      board.post(listenerType, NAME, inboundListener({ chains: [named] }));
      await clock.pass(defaultOf('warmTimeoutMs'));
      expect(routesOf(inbound)).toMatchObject({ kind: 'missing', reason: expect.stringContaining('nothing has come') });
    });

    it('leave the listener before in force until they are there, and are let go with their listener', async () => {
      const { board, inbound, told, watch } = setUp();
      watch();
      await settle();
      board.post(listenerType, NAME, inboundListener({ configPath: 'first' }));
      await settle();
      board.post(listenerType, NAME, inboundListener({ configPath: 'second', chains: [named] }));
      await settle();
      expect(told).toEqual(['first']);
      board.post(routeConfigurationType, 'r', { value: configuration([]) });
      expect(told).toEqual(['first', 'second']);
      board.post(listenerType, NAME, inboundListener({ configPath: 'third' }));
      expect(board.watched()).not.toContain('RouteConfiguration r');
      inbound.close();
      expect(board.watched()).toEqual([]);
    });
  });

  it('one that is refused is told as such, and leaves the last good one in force', async () => {
    const { board, inbound, told, watch } = setUp();
    watch();
    await settle();
    board.post(listenerType, NAME, { bad: 'authorization' });
    expect(inbound.lookup('0.0.0.0', 80)).toMatchObject({ isRefused: true, reason: 'authorization' });
    board.post(listenerType, NAME, inboundListener());
    board.post(listenerType, NAME, { bad: 'authorization' });
    expect(told).toEqual([undefined, 'found']);
    expect(inbound.lookup('0.0.0.0', 80).isRefused).toBeUndefined();
  });

  it('one for another address is none: its rules are for others', async () => {
    const { board, inbound, watch } = setUp();
    watch();
    await settle();
    board.post(listenerType, NAME, inboundListener({ address: '127.0.0.1' }));
    expect(inbound.lookup('0.0.0.0', 80)).toMatchObject({ listener: undefined, isRefused: true });
    board.post(listenerType, NAME, inboundListener({ address: '::' }));
    expect(inbound.lookup('0.0.0.0', 80).listener).toBeDefined();
  });
});
