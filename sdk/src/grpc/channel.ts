import { systemRandom } from '../clock.ts';
import { isLoopback } from '../http/dialled.ts';
import type { MeshRuntime } from '../http/runtime.ts';
import type { Hash64 } from '../model/hash.ts';
import type { CallParts } from './call-parts.ts';
import { CallCounts, type ListedChannel, listChannel, unlistChannel } from './channel-list.ts';
import { type ChannelSettings, readOptions } from './channel-options.ts';
import { STATE, stateOf, watchState } from './connectivity.ts';
import { DEFAULT_FLAGS, deadlineOf } from './deadline.ts';
import { DeferredCall } from './deferred-call.ts';
import { callCredentialsIn, openPlainChannel } from './grpc-js.ts';
import { type GrpcTarget, readTarget } from './target.ts';
import type {
  GrpcCall,
  GrpcCallCredentials,
  GrpcChannel,
  GrpcChannelCredentials,
  GrpcChannelzRef,
  GrpcClientClass,
  GrpcOptions,
  GrpcParentCall,
} from './types.ts';

type MakeCall = (parts: CallParts) => GrpcCall;

/** Loaded with the first channel: a process without one pays nothing for it. */
let makeCall: MakeCall | undefined;
let loading: Promise<MakeCall> | undefined;

function load(): Promise<MakeCall> {
  loading ??= import('./call.ts').then((module) => {
    makeCall = (parts) => new module.MeshGrpcCall(parts);
    return makeCall;
  });
  return loading;
}

let calls = 0;

/** A channel of grpc-js whose calls are the mesh's. It owns no connection: those are of the mesh's upstreams, shared with all else. */
export class MeshChannel implements GrpcChannel, ListedChannel {
  readonly counts: CallCounts;
  readonly #runtime: MeshRuntime;
  readonly #target: GrpcTarget;
  readonly #settings: ChannelSettings;
  readonly #credentials: GrpcChannelCredentials | undefined;
  readonly #callCredentials: GrpcCallCredentials | undefined;
  readonly #options: object;
  /** Of channelz; undefined where the application has switched that off. */
  readonly #id: number | undefined;
  readonly #hash: Hash64 = { hi: systemRandom(), lo: systemRandom() };
  #plain: Promise<GrpcChannel> | undefined;
  #opened: GrpcChannel | undefined;
  #isAsked = false;
  #isClosed = false;

  constructor(runtime: MeshRuntime, target: string, credentials: GrpcChannelCredentials | undefined, options: object) {
    const isSecure = credentials?._isSecure() === true;
    this.#runtime = runtime;
    this.#credentials = credentials;
    this.#options = options;
    this.#target = readTarget(target, isSecure);
    this.#settings = readOptions(options);
    if (isSecure && credentials !== undefined) {
      this.#callCredentials = callCredentialsIn(credentials, this.#target.authority);
    }
    this.counts = new CallCounts(runtime.clock.wallTime());
    if (this.#settings.isListed) this.#id = listChannel(this);
    load().catch(() => {});
  }

  getTarget(): string {
    return this.#target.text;
  }

  createCall(
    method: string,
    deadline: Date | number,
    host: string | null | undefined,
    parent: GrpcParentCall | null,
    flags: number | null | undefined,
  ): GrpcCall {
    if (this.#isClosed) throw new Error('Channel has been shut down');
    this.#isAsked = true;
    const propagate = flags ?? DEFAULT_FLAGS;
    const parts = {
      runtime: this.#runtime,
      target: this.#target,
      settings: this.#settings,
      counts: this.counts,
      number: ++calls,
      channel: this.#hash,
      method,
      deadlineMs: deadlineOf(deadline, parent, propagate),
      host: host ?? undefined,
      parent,
      flags: propagate,
      credentials: this.#callCredentials,
      plain: () => this.#openPlain(),
    };
    if (makeCall !== undefined) return makeCall(parts);
    this.#prepare();
    return new DeferredCall(
      parts.number,
      this.#target.authority,
      load().then((make) => make(parts)),
    );
  }

  /** HTTP/2, which a call needs when its configuration is there, is loaded while that is on its way: the core has asked for it. */
  #prepare(): void {
    const { dialled } = this.#target;
    if (dialled === undefined || isLoopback(dialled.host)) return;
    const { scheme, target } = dialled;
    const state = scheme === 'https' ? this.#runtime.lookupConnection(target) : this.#runtime.lookup(target);
    if (state.kind !== 'pending') return;
    // Who cannot do without it says so.
    state.settled.then(() => import('../connection/http2-connection.ts')).catch(() => {});
  }

  getConnectivityState(tryToConnect: boolean): number {
    if (this.#isClosed) return STATE.shutdown;
    this.#isAsked ||= tryToConnect;
    if (!this.#isAsked) return STATE.idle;
    const state = stateOf(this.#runtime, this.#target);
    if (state !== undefined) return state;
    if (this.#opened !== undefined) return this.#opened.getConnectivityState(tryToConnect);
    this.#openPlain().catch(() => {});
    return STATE.connecting;
  }

  watchConnectivityState(state: number, deadline: Date | number, callback: (error?: Error) => void): void {
    if (this.#isClosed) throw new Error('Channel has been shut down');
    const untilMs = deadlineOf(deadline, null, 0);
    watchState(this.#runtime.clock, () => this.getConnectivityState(false) !== state, untilMs, callback);
  }

  getChannelzRef(): GrpcChannelzRef {
    return { kind: 'channel' as never, id: this.#id ?? -1, name: this.#target.text };
  }

  /** Calls under way go on. */
  close(): void {
    this.#isClosed = true;
    if (this.#id !== undefined) unlistChannel(this.#id, this);
    this.#plain?.then(
      (channel) => channel.close(),
      () => {},
    );
  }

  #openPlain(): Promise<GrpcChannel> {
    const { text, dialled, authority } = this.#target;
    const target = dialled === undefined ? text : `dns:${authority}`;
    this.#plain ??= openPlainChannel({ target, credentials: this.#credentials, options: this.#options }).then(
      (channel) => {
        this.#opened = channel;
        if (this.#isClosed) channel.close();
        return channel;
      },
    );
    return this.#plain;
  }
}

/** The options that put a client of grpc-js on a mesh. */
export const grpcOptions = (runtime: MeshRuntime): GrpcOptions => ({
  channelFactoryOverride: (address, credentials, options) => new MeshChannel(runtime, address, credentials, options),
});

/** A client whose channel is the mesh's; grpc-js looks at no credentials then. */
export function makeClient<C>(runtime: MeshRuntime, Client: GrpcClientClass<C>, target: string): C {
  const channelOverride = new MeshChannel(runtime, target, undefined, {});
  return new Client(target, undefined as never, { channelOverride } as never);
}
