import { systemTurn } from '../clock.ts';
import type { MeshRequest } from '../model/request.ts';
import type { CallBody } from './body-source.ts';
import { deliver } from './deliver.ts';
import type { LiveTarget } from './live-target.ts';
import { errorOf, type LocalReply } from './local-reply.ts';
import { MeshCall } from './mesh-call.ts';
import { LiveStory } from './story.ts';
import type { Call, CallHandler, CallOptions, CallRuntime } from './types.ts';

export type { CallBody } from './body-source.ts';
export type { Call, CallHandler, CallOptions, CallRuntime } from './types.ts';

/** A runtime with the defaults for what is left out. */
export const createCallRuntime = (
  parts: Pick<CallRuntime, 'clock' | 'random' | 'connections' | 'emit'> & Partial<CallRuntime>,
): CallRuntime => ({
  isObserved: () => true,
  turn: systemTurn,
  sourceIp: () => undefined,
  ...parts,
});

/** Begins a call; its handler hears of it only after this has returned. */
export function startCall(
  runtime: CallRuntime,
  target: LiveTarget,
  request: MeshRequest,
  body: CallBody,
  handler: CallHandler,
  options: CallOptions,
): Call {
  const call = new MeshCall({ runtime, target, request, body, handler, options });
  call.start();
  return call;
}

/** A call that ends before it has a target: no configuration, or a host that is blocked. */
export function replyLocally(
  runtime: Pick<CallRuntime, 'clock' | 'emit' | 'isObserved'>,
  target: string,
  reply: LocalReply,
  { request, handler, options }: { request: MeshRequest; handler: CallHandler; options: CallOptions },
): Call {
  const { clock, emit, isObserved } = runtime;
  const story = new LiveStory(target, clock.now());
  let isOver = false;
  const finish = (status: number): void => {
    isOver = true;
    story.timings.endMs = clock.now();
    if (isObserved()) emit({ kind: 'call', request, status, story });
  };
  queueMicrotask(() => {
    if (isOver) return;
    story.local = true;
    if (reply.flag !== undefined) story.raise(reply.flag);
    story.timings.headersMs = clock.now();
    finish(reply.status);
    if (reply.code !== undefined && options.localReply === 'throw') handler.onError(errorOf(reply, story));
    else deliver(reply, { request, decision: undefined, cluster: undefined, wallTimeMs: clock.wallTime() }, handler);
  });
  return {
    story,
    resume() {},
    abort(reason) {
      if (isOver) return;
      story.raise('DC');
      finish(0);
      handler.onError(reason);
    },
  };
}
