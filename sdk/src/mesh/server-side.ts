import type { Clock } from '../clock.ts';
import type { InboundWatcher } from '../config/inbound.ts';
import type { LiveIdentity } from '../identity/live-identity.ts';
import type { TlsContexts } from '../identity/tls-contexts.ts';
import type { EventSink } from '../model/events.ts';
import type { Registration } from '../options.ts';
import type { LazyCore } from './lazy-core.ts';

/** What a guarded server needs of its mesh; tests give values. */
export interface ServerSide {
  readonly clock: Clock;
  readonly emit: EventSink;
  /** There is a control plane: it says how connections are taken. */
  readonly isOn: boolean;
  /** Told when it is known, and at each change; undefined: the control plane knows nothing of this port. */
  watchInbound(address: string, port: number, watcher: InboundWatcher): () => void;
  /** TLS of this process. Resolves before anything is known of an identity. */
  tls(): Promise<Pick<TlsContexts, 'server'>>;
  hasIdentity(): boolean;
  /** Asks for an identity. Rejects with MESH_IDENTITY_UNAVAILABLE when there is none in time. */
  identityReady(timeoutMs: number): Promise<unknown>;
  /** After each change of the identity; `trust`: of roots or revocation lists, so that who was taken may be refused now. */
  onIdentity(listener: (change: { readonly trust: boolean }) => void): () => void;
  register(registration: Registration): void;
  unregister(registration: Registration): void;
  metrics(): Promise<string>;
}

/** Under a versioned symbol: a mesh of one copy of the package may be guarded by another. */
export const SERVER_SIDE: unique symbol = Symbol.for('inmesh.server-side.1') as never;

/** A mesh as a guarded server sees it. */
export interface WithServerSide {
  readonly [SERVER_SIDE]: ServerSide;
}

export interface ServerSideParts extends Pick<ServerSide, 'clock' | 'emit' | 'isOn' | 'metrics'> {
  readonly core: LazyCore;
}

export function createServerSide({ core, ...parts }: ServerSideParts): ServerSide {
  let contexts: Promise<TlsContexts> | undefined;
  let identity: LiveIdentity | undefined;
  return {
    ...parts,
    watchInbound: (address, port, watcher) => whenRunning(core, ({ inbound }) => inbound.watch(address, port, watcher)),
    tls() {
      contexts ??= openContexts(core, parts.clock);
      return contexts;
    },
    hasIdentity: () => identity?.current() !== undefined,
    async identityReady(timeoutMs) {
      ({ identity } = await core.running());
      return identity.ready(timeoutMs);
    },
    onIdentity: (listener) =>
      whenRunning(core, (running) => {
        identity = running.identity;
        const ends = [
          watchIdentity(running.identity, listener),
          running.secrets.onChange(() => listener({ trust: true })),
        ];
        return () => {
          for (const end of ends) end();
        };
      }),
    register: (registration) => core.register(registration),
    unregister: (registration) => core.unregister(registration),
  };
}

async function openContexts(core: LazyCore, clock: Clock): Promise<TlsContexts> {
  const [{ createTlsContexts }, { identity, secrets }] = await Promise.all([
    import('../identity/tls-contexts.ts'),
    core.running(),
  ]);
  return createTlsContexts(identity, secrets, clock);
}

function watchIdentity(identity: LiveIdentity, listener: (change: { readonly trust: boolean }) => void): () => void {
  let before = identity.current()?.bundles;
  return identity.onChange((state) => {
    const trust = state !== undefined && before !== undefined && state.bundles !== before;
    before = state?.bundles ?? before;
    listener({ trust });
  });
}

/** The core is loaded after the mesh is made; nothing comes of it where it never is. */
function whenRunning(core: LazyCore, start: (running: Awaited<ReturnType<LazyCore['running']>>) => () => void) {
  let stop: (() => void) | undefined;
  let isOver = false;
  core.running().then(
    (running) => {
      if (!isOver) stop = start(running);
    },
    () => {},
  );
  return () => {
    isOver = true;
    stop?.();
  };
}
