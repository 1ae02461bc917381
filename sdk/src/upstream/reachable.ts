import { remainder } from '../balancer/hash/words.ts';
import type { Clock } from '../clock.ts';
import { type Choice, drawFrom } from './choose.ts';
import type { Host, LiveHost } from './host.ts';
import { type Table, tableAfter } from './table.ts';
import type { PickContext } from './types.ts';
import type { Unreachable } from './unreachable.ts';

/** Says of a host that it is not to be connected to. */
export type OutTest = (host: Host) => boolean;

/** undefined: there is nobody to be left out. `failed`: what the call has tried itself. */
export function outTest(
  failed: ReadonlySet<Host> | undefined,
  unreachable: Unreachable | undefined,
  clock: Clock,
): OutTest | undefined {
  if (failed === undefined) return undefined;
  if (unreachable === undefined || unreachable.isEmpty)
    return failed.size === 0 ? undefined : (host) => failed.has(host);
  const nowMs = clock.now();
  return (host) => failed.has(host) || unreachable.rests(host, nowMs);
}

/** Draws before a host is taken that nobody's turn it is. */
const DRAWS = 16;

/**
 * A host that is not out, by the same turns, weights and hashes as ever: those that are out are passed over, as gRPC's
 * balancers have only those in them that are connected. A priority none of whose hosts is left is passed over whole (gRFC A56).
 */
export function chooseReachable(
  whole: Table,
  choice: Choice,
  isOut: OutTest,
  { exclude, attempts }: { readonly exclude: PickContext['exclude']; readonly attempts: number },
): LiveHost | undefined {
  const lost = lostPriorities(whole, isOut);
  const table = lost.length === 0 ? whole : tableAfter(whole, lost, 1);
  let excluded = 0;
  for (let draw = 0; draw < DRAWS; draw++) {
    choice.attempt = draw;
    const host = drawFrom(table, choice);
    if (host === undefined) return undefined;
    if (isOut(host)) continue;
    if (exclude === undefined || excluded++ >= attempts || !exclude(host)) return host;
  }
  return anyOf(whole, choice, isOut);
}

function lostPriorities({ input: { priorities } }: Table, isOut: OutTest): readonly number[] {
  const lost: number[] = [];
  for (const [priority, { hosts }] of priorities.entries()) {
    if (hosts.length > 0 && hosts.every((host) => host.availability === 'out' || isOut(host)) && hosts.some(isOut))
      lost.push(priority);
  }
  return lost;
}

/** Of the first priority that has one. */
function anyOf({ input: { priorities } }: Table, choice: Choice, isOut: OutTest): LiveHost | undefined {
  for (const { hosts } of priorities) {
    const left = hosts.filter((host) => host.availability !== 'out' && !host.removed && !isOut(host));
    if (left.length === 0) continue;
    const { hash, hashed, random } = choice;
    return left[hashed ? remainder(hash.hi, hash.lo, left.length) : random() % left.length];
  }
  return undefined;
}
