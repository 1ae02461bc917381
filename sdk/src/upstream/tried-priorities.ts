/**
 * Priorities a further attempt leaves out (Envoy PreviousPrioritiesRetryPriority): those tried, brought up to date after every
 * so many attempts; once no other one has a usable host all begin anew. P0, P1, P2, P0 … with a frequency of 1.
 */
export function leftOut(
  tried: readonly number[],
  updateFrequency: number,
  isUsable: (priority: number) => boolean,
  levels: number,
): ReadonlySet<number> | undefined {
  const out = new Set<number>();
  let attempted: number[] = [];
  for (const priority of tried) {
    attempted.push(priority);
    if (attempted.length % updateFrequency !== 0) continue;
    for (const one of attempted) out.add(one);
    if (hasOther(out, isUsable, levels)) continue;
    out.clear();
    attempted = [];
  }
  return out.size === 0 || attempted.length < updateFrequency ? undefined : out;
}

function hasOther(out: ReadonlySet<number>, isUsable: (priority: number) => boolean, levels: number): boolean {
  for (let priority = 0; priority < levels; priority++) if (!out.has(priority) && isUsable(priority)) return true;
  return false;
}
