import { parseArgs } from 'node:util';
import { soakFaults } from './faults/soak-faults.ts';
import { soak } from './soak.ts';

/**
 * `npm run soak -- [--mode pushes|faults] [--requests N]`. `pushes`, unless told otherwise: 100,000 calls through 10 pushes a second
 * and a death of the control plane every 5 s. `faults`: 200,000 calls to upstreams that fail in every way.
 */
const { values } = parseArgs({
  options: { mode: { type: 'string', default: 'pushes' }, requests: { type: 'string' } },
});
const { mode, requests } = values;
const count = (otherwise: number): number => (requests === undefined ? otherwise : Number(requests));

const report =
  mode === 'faults'
    ? await soakFaults({ requests: count(200_000) })
    : await soak({ calls: count(100_000), pushesPerSecond: 10, killEveryMs: 5_000 });
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exitCode = report.failures.length === 0 ? 0 : 1;
