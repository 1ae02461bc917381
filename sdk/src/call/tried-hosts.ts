import type { RetryPolicy } from '../model/action.ts';
import type { Host } from '../upstream/host.ts';
import type { Pick as HostPick, PickFailure } from '../upstream/pick.ts';
import type { PickContext } from '../upstream/types.ts';
import type { Way } from './plan.ts';

/** Whether it matters later where an attempt has gone. */
export const remembersHosts = (retry: RetryPolicy | undefined): boolean =>
  retry !== undefined && (retry.previousHosts || retry.previousPriorities !== undefined);

/** Where a call has been, and so where it goes next. */
export class TriedHosts {
  readonly #retry: RetryPolicy | undefined;
  #tried: HostPick[] | undefined;
  /** Since the retry policy last had a say. */
  #unreachable: Set<Host> | undefined;

  constructor(retry: RetryPolicy | undefined) {
    this.#retry = retry;
  }

  add(pick: HostPick): void {
    this.#tried = [...(this.#tried ?? []), pick];
  }

  /** For a further attempt, or for the first one where a fault came before it. */
  again(way: Way, isFirst: boolean): HostPick | PickFailure {
    this.#unreachable = undefined;
    // Envoy Filter::overrideHostToSelect: a session holds for the first attempt.
    return way.upstream.pick(this.#contextFor(way, isFirst ? way.first : way.context));
  }

  /**
   * In the place of a host that took no connection: gRPC's clients have nobody to pick from but those that did. undefined: there is
   * no other one.
   */
  elsewhere(way: Way, { host }: HostPick): HostPick | undefined {
    this.#unreachable ??= new Set();
    this.#unreachable.add(host);
    const context = { ...this.#contextFor(way, way.context), unreachable: this.#unreachable };
    const pick = way.upstream.pick(context);
    return pick.kind === 'pick' ? pick : undefined;
  }

  #contextFor({ upstream }: Way, context: PickContext): PickContext {
    const retry = this.#retry;
    if (retry === undefined) return context;
    const tried = this.#tried ?? [];
    return {
      ...context,
      ...(retry.previousHosts && { exclude: (host: Host) => tried.some((before) => before.host === host) }),
      selectionAttempts: retry.hostSelectionAttempts,
      ...(retry.previousPriorities && {
        triedPriorities: tried.map((before) => upstream.levelOf(before)),
        priorityUpdateFrequency: retry.previousPriorities.updateFrequency,
      }),
    };
  }
}
