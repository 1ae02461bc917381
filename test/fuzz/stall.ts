/** Watches how long the event loop goes without a turn: by the clock, and by this thread's processor time (other processes do not count). */
export interface StallWatch {
  readonly longest: { wallMs: number; cpuMs: number; what: string };
  /** Named in the report if the next stall is the longest; undefined is the work of the test itself, which does not count. */
  doing(what: string | undefined): void;
  stop(): void;
}

export function watchStalls(): StallWatch {
  const longest = { wallMs: 0, cpuMs: 0, what: '' };
  let what: string | undefined;
  let isOver = false;
  let wall = performance.now();
  let cpu = cpuMs();
  const turn = (): void => {
    const wallNow = performance.now();
    const cpuNow = cpuMs();
    if (what !== undefined) {
      if (cpuNow - cpu > longest.cpuMs) Object.assign(longest, { cpuMs: cpuNow - cpu, what });
      longest.wallMs = Math.max(longest.wallMs, wallNow - wall);
    }
    wall = wallNow;
    cpu = cpuNow;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  return {
    longest,
    doing(next) {
      what = next;
    },
    stop() {
      isOver = true;
    },
  };
}

function cpuMs(): number {
  // Node 22 has the process's only, which counts the collector's threads too.
  const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage();
  return (user + system) / 1000;
}
