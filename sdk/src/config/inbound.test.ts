import { describe, expect, it } from 'vitest';
import { createFakeClock, settle } from '../../../test/harness/fake-clock.ts';
import { createResourceBoard } from '../../../test/harness/resource-board.ts';
import { defaultOf } from '../defaults.ts';
import type { MeshEvent } from '../model/events.ts';
import type { InboundListener } from '../model/inbound.ts';
import { listenerType } from '../resource/listener/listener.ts';
import { secretType } from '../resource/tls/secret.ts';
import { createInbound } from './inbound.ts';
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
});
