import type { LiveTarget } from '../call/live-target.ts';
import { blocked, type LocalReply, notReady } from '../call/local-reply.ts';
import type { LiveStory } from '../call/story.ts';
import type { Call } from '../call/types.ts';
import { holdProcess } from '../clock.ts';
import type { TargetState } from '../config/targets.ts';
import { chunksOf } from '../connection/body-chunks.ts';
import type { CallStory } from '../model/events.ts';
import { addPropagated, currentInbound } from '../propagation/store.ts';
import { type Exchange, type ExchangeHandler, type Outgoing, optionsOf } from './outgoing.ts';
import type { MeshRuntime } from './runtime.ts';

type State = TargetState<LiveTarget>;

/** An exchange whose target is not ready, or whose body is not: it becomes a call, a passthrough or a local reply. */
export class WaitingExchange implements Exchange {
  readonly #runtime: MeshRuntime;
  readonly #outgoing: Outgoing;
  readonly #handler: ExchangeHandler;
  #call: Call | undefined;
  #isAborted = false;
  #stopWaiting: () => void = () => {};

  constructor(runtime: MeshRuntime, outgoing: Outgoing, handler: ExchangeHandler, state: State) {
    this.#runtime = runtime;
    this.#outgoing = outgoing;
    this.#handler = handler;
    const done = state.kind === 'absent' || state.kind === 'failed' ? this.#without(state) : this.#run(state);
    done.catch((error: unknown) => this.#isAborted || handler.onError(error));
  }

  get story(): CallStory | undefined {
    return this.#call?.story;
  }

  resume(): void {
    this.#call?.resume();
  }

  abort(reason: unknown): void {
    this.#call?.abort(reason);
    if (this.#call !== undefined || this.#isAborted) return;
    this.#isAborted = true;
    this.#stopWaiting();
    this.#handler.onError(reason);
  }

  async #run(first: State): Promise<void> {
    const { timeoutMs } = this.#outgoing.policy ?? {};
    const startMs = this.#runtime.clock.now();
    const deadlineMs = timeoutMs === undefined ? undefined : startMs + timeoutMs;
    const state = first.kind === 'pending' ? await this.#settled(startMs, first) : first;
    if (this.#isAborted) return;
    if (state.kind !== 'ready') return this.#without(state);
    if (this.#handler.onStart?.() === false) return;
    const body = await this.#outgoing.body.open();
    if (this.#isAborted) {
      if (body.kind === 'stream') chunksOf(body.stream).close();
      return;
    }
    const { request } = this.#outgoing;
    addPropagated(request.headers);
    const options = optionsOf(this.#runtime, this.#outgoing, deadlineMs);
    this.#call = this.#runtime.start(state.value, request, { body, handler: this.#handler, options });
  }

  /** The target's first settled state, or what it still is when the time is over. */
  async #settled(startMs: number, first: State): Promise<State> {
    const { clock, configTimeoutMs } = this.#runtime;
    const { dueMs = Number.POSITIVE_INFINITY } = currentInbound() ?? {};
    const ownMs = startMs + Math.min(configTimeoutMs, this.#outgoing.policy?.timeoutMs ?? configTimeoutMs);
    const untilMs = Math.min(ownMs, dueMs);
    const stopped = new Promise<undefined>((resolve) => {
      this.#stopWaiting = () => resolve(undefined);
    });
    // Nothing else does: neither the control plane's socket nor a timer of ours keeps the process alive.
    const hold = holdProcess();
    const timer = clock.after(untilMs - clock.now(), this.#stopWaiting);
    let state = first;
    while (state.kind === 'pending') {
      const next: State | undefined = await Promise.race([state.settled, stopped]);
      if (next === undefined) break;
      state = next;
    }
    timer.cancel();
    hold.cancel();
    return state;
  }

  async #without(state: Exclude<State, { readonly kind: 'ready' }>): Promise<void> {
    const { target, host } = this.#outgoing.dialled;
    if (state.kind !== 'absent') {
      return this.#answer(
        notReady(state.kind === 'failed' ? state.reason : `no configuration of ${target} has come`),
        '',
      );
    }
    if (this.#runtime.outboundPolicy === 'ALLOW_ANY') return this.#handler.onPassthrough();
    this.#runtime.emit({ kind: 'passthrough', host, cluster: 'BlackHoleCluster' });
    const what = `${target} is not in the registry, and the outbound policy is REGISTRY_ONLY`;
    return this.#answer(blocked(what), 'BlackHoleCluster');
  }

  async #answer(reply: LocalReply, cluster: string): Promise<void> {
    if (this.#handler.onStart?.() === false) return;
    const answer = await this.#runtime.answering();
    if (this.#isAborted) return;
    const { request, dialled } = this.#outgoing;
    const options = optionsOf(this.#runtime, this.#outgoing, undefined);
    this.#call = answer(dialled.target, reply, request, { handler: this.#handler, options });
    (this.#call.story as LiveStory).cluster = cluster;
  }
}
