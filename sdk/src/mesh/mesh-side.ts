import type { Clock } from '../clock.ts';
import type { Events } from './events.ts';
import type { LazyCore } from './lazy-core.ts';
import type { MeshSide } from './server-side.ts';

export interface MeshSideParts {
  readonly core: LazyCore;
  readonly clock: Clock;
  readonly events: Events;
  readonly isOn: boolean;
  readonly metrics: () => Promise<string>;
}

/** What a guarded server sees of its mesh. Nothing is loaded before it asks. */
export function createMeshSide({ core, clock, events, isOn, metrics }: MeshSideParts): MeshSide {
  return {
    clock,
    emit: events.emit,
    isOn,
    metrics,
    watchInbound: (address, port, listener) =>
      later(
        core,
        ({ inbound }) => inbound.watch(address, port, listener),
        () => listener(undefined),
      ),
    async tls() {
      const [{ createTlsContexts }, { identity, secrets }] = await Promise.all([
        import('../identity/tls-contexts.ts'),
        core.running(),
      ]);
      return createTlsContexts(identity, secrets, clock);
    },
    identityReady: async (timeoutMs) => (await core.running()).identity.ready(timeoutMs),
    onTrustChange: (listener) =>
      later(core, ({ identity, secrets }) => {
        const ends = [identity.onChange(() => listener()), secrets.onChange(listener)];
        return () => {
          for (const end of ends) end();
        };
      }),
    register: (registration) => core.register(registration),
    unregister: (registration) => core.unregister(registration),
  };
}

/** Watches the core once it is there; the end may come before that. */
function later(
  core: LazyCore,
  watch: (running: Awaited<ReturnType<LazyCore['running']>>) => () => void,
  failed: () => void = () => {},
): () => void {
  let isOver = false;
  let end = (): void => {};
  core.running().then(
    (running) => {
      if (!isOver) end = watch(running);
    },
    () => isOver || failed(),
  );
  return () => {
    isOver = true;
    end();
  };
}
