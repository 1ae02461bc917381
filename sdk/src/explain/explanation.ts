import type { ConsideredRule } from '../route/trace.ts';

export interface ExplainedSplit {
  readonly cluster: string;
  readonly weight: number;
  /** First and last draw, modulo the sum of the weights, that choose it; missing for a weight of 0. */
  readonly range?: readonly [first: number, last: number];
}

export interface ExplainedEndpoint {
  readonly address: string;
  /** Of an aggregate: which of its clusters it belongs to. */
  readonly cluster?: string;
  readonly locality: string;
  readonly priority: number;
  readonly state: string;
  /** Why it is not healthy. */
  readonly reason?: string;
  /** By what it reports of its load; 0: nothing that counts now. */
  readonly loadWeight?: number;
}

/** What would become of a request, and why. One JSON object: what there is none of is null. */
export interface Explanation {
  readonly request: {
    readonly method: string;
    readonly url: string;
    /** What `:authority` matches see. */
    readonly authority: string;
    readonly headers: Readonly<Record<string, string>>;
    /** The number that decided splits and fractions. */
    readonly random: number;
  };
  /** null: none has the host. */
  readonly virtualHost: string | null;
  /** The rules looked at, in order, up to the one that matched. */
  readonly considered: readonly ConsideredRule[];
  /** Name of the route, where the control plane gives it one; null: none matched. */
  readonly route: string | null;
  /** Where the rule is written; null: the control plane does not say. */
  readonly source: { readonly file: string; readonly line: number } | null;
  /** The cluster the number chose; null: the request goes to none. */
  readonly cluster: string | null;
  readonly split: readonly ExplainedSplit[];
  /** Of that cluster. */
  readonly endpoints: readonly ExplainedEndpoint[];
  /** null: none. */
  readonly timeoutMs: number | null;
  readonly retries: {
    /** All calls there may be: 1 without retries. */
    readonly calls: number;
    readonly on: readonly string[];
    readonly perTryTimeoutMs: number | null;
  };
  /** What a reader should know besides. */
  readonly notes: readonly string[];
}
