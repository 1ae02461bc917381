import type { Random } from '../clock.ts';
import type { FaultPolicy, ForwardAction, RetryPolicy } from '../model/action.ts';
import type { LoadAssignment } from '../model/cluster.ts';
import { faultsIn } from '../model/fault-chain.ts';
import type { Fraction } from '../model/match.ts';
import type { Upstream } from '../upstream/types.ts';

/** What a reader should know of a route's policy beside its time-out and retries. */
export function notesOn(action: ForwardAction): string[] {
  const { retry, fault, mirrors, timeoutMs = 0 } = action;
  return [
    ...(fault ? faultsIn(fault).flatMap((one) => notesOnFault(one, fault.scope)) : []),
    ...mirrors.map(({ cluster: to, clusterHeader, fraction }) => {
      return `mirror: ${share(fraction)} to ${to || `the cluster that header ${clusterHeader} names`}`;
    }),
    ...(retry ? notesOnRetries(retry, timeoutMs) : []),
  ];
}

/** Calls to its cluster that are given up (Envoy drop_overloads). */
export const notesOnDrops = (assignment: LoadAssignment | undefined): string[] =>
  (assignment?.drops ?? []).map(({ category, fraction }) => `${share(fraction)} are given up: 503 (${category})`);

/** Which cluster of an aggregate is called, and why others are not. */
export function notesOnMembers(upstream: Upstream | undefined, random: Random): string[] {
  const members = upstream?.config().members;
  if (upstream === undefined || members === undefined) return [];
  const next = upstream.serving(random);
  return [
    `${upstream.name} is ${members.map((member) => member.name).join(', then ')}: ${next.name} is called`,
    ...members.flatMap(({ name: member, state }) =>
      state.kind === 'failed' ? [`${member} is passed over: ${state.reason}`] : [],
    ),
  ];
}

const share = ({ numerator, denominator }: Fraction): string =>
  `${Number(((100 * numerator) / denominator).toFixed(4))} %`;

const seconds = (ms: number): string => `${ms / 1_000} s`;

function notesOnFault({ delay, abort }: FaultPolicy, scope: FaultPolicy['scope']): string[] {
  const each = scope === 'attempt' ? ', drawn for each attempt' : '';
  const notes: string[] = [];
  if (delay) {
    const time = delay.fromHeader ? 'by as long as the request asks for' : `by ${seconds(delay.ms)}`;
    notes.push(`fault: ${share(delay.fraction)} are delayed ${time}${each}`);
  }
  if (abort) {
    const status = abort.httpStatus ?? (abort.grpcStatus === undefined ? undefined : `grpc-status ${abort.grpcStatus}`);
    notes.push(`fault: ${share(abort.fraction)} are answered ${status ?? 'what the request asks for'}${each}`);
  }
  return notes;
}

/** Words that a late try is retried for (Envoy RetryStateImpl). */
const RETRIES_LATE_TRIES: ReadonlySet<string> = new Set(['5xx', 'gateway-error', 'reset']);

function notesOnRetries({ on, numRetries, perTryTimeoutMs = 0 }: RetryPolicy, timeoutMs: number): string[] {
  if (perTryTimeoutMs === 0 || numRetries === 0) return [];
  const notes: string[] = [];
  if (!on.some((word) => RETRIES_LATE_TRIES.has(word))) {
    const want = 'want 5xx, gateway-error or reset in retryOn';
    notes.push(`retries.perTryTimeout: a try that is late is not retried, it ends the call: ${want}`);
  }
  const calls = numRetries + 1;
  if (timeoutMs > 0 && perTryTimeoutMs * calls > timeoutMs) {
    const whole = `${seconds(perTryTimeoutMs)} × ${calls} calls is ${seconds(perTryTimeoutMs * calls)}`;
    const short = 'the last tries are cut short or never made';
    notes.push(`retries.perTryTimeout: ${whole}, more than the timeout of ${seconds(timeoutMs)}: ${short}`);
  }
  return notes;
}
