import { soak } from './soak.ts';

/** `npm run soak -- [CALLS]`: 100,000 calls unless told otherwise, through 10 pushes a second and a death every 5 s. */
const [calls = 100_000] = process.argv.slice(2).map(Number);
const report = await soak({ calls, pushesPerSecond: 10, killEveryMs: 5_000 });
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exitCode = report.failures.length === 0 ? 0 : 1;
