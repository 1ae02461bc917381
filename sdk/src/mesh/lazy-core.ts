import type { Bootstrap } from '../bootstrap/bootstrap.ts';
import type { LiveTarget } from '../call/live-target.ts';
import type { CallRuntime } from '../call/types.ts';
import type { TargetState } from '../config/targets.ts';
import type { SecureTransports } from '../connection/secure-transports.ts';
import { MeshError } from '../errors.ts';
import type { MeshCore } from '../http/runtime.ts';
import type { Registration } from '../options.ts';
import type { Upstream } from '../upstream/types.ts';
import type { Core, CoreParts } from './core.ts';

type State = TargetState<LiveTarget>;

const NO_UPSTREAMS: ReadonlyMap<string, Upstream> = new Map();
const OFF: State = { kind: 'absent', reason: 'the mesh is off' };
const CLOSED: State = { kind: 'failed', reason: 'the mesh was closed' };

/** The core from before it is loaded until after it is closed. Without a bootstrap the mesh is off. */
export class LazyCore {
  readonly #loading: Promise<Core> | undefined;
  readonly #calls: Pick<CallRuntime, 'clock' | 'emit' | 'isObserved'>;
  #core: Core | undefined;
  #failure: State | undefined;
  #closing: Promise<void> | undefined;
  readonly #registrations = new Map<string, Registration>();

  constructor(bootstrap: Bootstrap | undefined, common: Omit<CoreParts, 'bootstrap'>) {
    const { clock, events } = common;
    this.#calls = { clock, emit: events.emit, isObserved: events.isObserved };
    if (bootstrap === undefined) return;
    const parts = { ...common, bootstrap };
    this.#loading = import('./core.ts').then(({ startCore }) => startCore(parts));
    this.#loading.then(
      (core) => this.#started(core),
      (error: unknown) => {
        this.#failure = { kind: 'failed', reason: error instanceof Error ? error.message : String(error) };
      },
    );
  }

  lookup(target: string): State {
    if (this.#core !== undefined && this.#closing === undefined) return this.#core.lookup(target);
    return this.#without(() => this.lookup(target));
  }

  /** As `lookup`, with what connections by filter chains need. */
  lookupConnection(target: string): State {
    if (this.#core !== undefined && this.#closing === undefined) return this.#core.lookupConnection(target);
    return this.#without(() => this.lookupConnection(target));
  }

  /** Of a core that is there: a target that is ready came out of one. */
  secure(): SecureTransports {
    if (this.#core === undefined) throw new MeshError('MESH_NOT_READY', 'the mesh was closed');
    return this.#core.secure;
  }

  /** For what is hashed by its source. */
  sourceIp(): string | undefined {
    return this.#core?.sourceIp();
  }

  readonly start: MeshCore['start'] = (live, request, sending) => {
    // A target that is ready came out of a core.
    if (this.#core === undefined) throw new MeshError('MESH_NOT_READY', 'the mesh was closed');
    return this.#core.start(live, request, sending);
  };

  readonly answering: MeshCore['answering'] = async () => {
    const { replyLocally } = await import('../call/call.ts');
    return (target, reply, request, sending) => replyLocally(this.#calls, target, reply, { request, ...sending });
  };

  running(): Promise<Core> {
    if (this.#closing !== undefined) return Promise.reject(new MeshError('MESH_NOT_READY', 'the mesh was closed'));
    return this.#loading ?? Promise.reject(new MeshError('MESH_NOT_READY', 'the mesh is off'));
  }

  /** None before the core is there. */
  get upstreams(): ReadonlyMap<string, Upstream> {
    return this.#core?.upstreams ?? NO_UPSTREAMS;
  }

  /** This process's own, as it is now. */
  get certificate(): { readonly id: string; readonly notAfterMs: number } | undefined {
    const svid = this.#core?.identity.current()?.svid;
    return svid && { id: svid.id.uri, notAfterMs: svid.notAfterMs };
  }

  register(registration: Registration): void {
    this.#registrations.set(keyOf(registration), registration);
    this.#core?.register([...this.#registrations.values()]);
  }

  unregister(registration: Registration): void {
    if (this.#registrations.delete(keyOf(registration))) this.#core?.register([...this.#registrations.values()]);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #without(again: () => State): State {
    if (this.#closing !== undefined) return CLOSED;
    if (this.#failure !== undefined) return this.#failure;
    if (this.#loading === undefined) return OFF;
    return { kind: 'pending', settled: this.#loading.then(noop, noop).then(again) };
  }

  #started(core: Core): void {
    this.#core = core;
    if (this.#registrations.size > 0) core.register([...this.#registrations.values()]);
  }

  async #close(): Promise<void> {
    const core = await this.#loading?.catch(noop);
    if (core === undefined) return;
    // Said before the stream ends: a stream that only breaks is given ten seconds to come back.
    if (this.#registrations.size > 0) core.register([]);
    await core.close();
  }
}

const keyOf = ({ service, port }: Registration): string => `${service}:${port}`;

const noop = (): undefined => undefined;
