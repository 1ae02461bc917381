import { addPropagated } from '../propagation/store.ts';
import type { CallPolicy } from './call-policy.ts';
import { isLoopback } from './dialled.ts';
import { type Exchange, type ExchangeHandler, type Outgoing, optionsOf } from './outgoing.ts';
import type { MeshRuntime } from './runtime.ts';
import { WaitingExchange } from './waiting-exchange.ts';

/**
 * From a target's name to a call: at once where its configuration is there, else after a bounded wait. The handler may be
 * called before this returns.
 */
export function startExchange(runtime: MeshRuntime, given: Outgoing, handler: ExchangeHandler): Exchange {
  const { dialled } = given;
  if (isLoopback(dialled.host)) {
    handler.onPassthrough();
    return IDLE;
  }
  const outgoing = runtime.policy === undefined ? given : { ...given, policy: merged(runtime.policy, given.policy) };
  const { scheme, target } = dialled;
  const state = scheme === 'https' ? runtime.lookupConnection(target) : runtime.lookup(target);
  if (state.kind !== 'ready') return new WaitingExchange(runtime, outgoing, handler, state);
  const body = outgoing.body.open();
  // Opened once: what opens it may read it.
  if ('then' in body)
    return new WaitingExchange(runtime, { ...outgoing, body: { ...outgoing.body, open: () => body } }, handler, state);
  if (handler.onStart?.() === false) return IDLE;
  const options = optionsOf(runtime, outgoing, undefined);
  addPropagated(outgoing.request.headers);
  return runtime.start(state.value, outgoing.request, { body, handler, options });
}

const merged = (common: CallPolicy, own: CallPolicy | undefined): CallPolicy =>
  own === undefined ? common : { ...common, ...own };

const IDLE: Exchange = { abort() {}, resume() {}, story: undefined };
