import { fuzzHttp2 } from './hostile-http2.ts';
import { fuzzResources } from './hostile-resources.ts';
import { fuzzYaml } from './hostile-yaml.ts';
import { formatReport, MOST_STALL_MS } from './report.ts';

/** `npm run fuzz -- [COUNT] [SEED]`: 10,000 hostile inputs at each side unless told otherwise; a seed repeats its run. */
const [count = 10_000, seed = Math.floor(Date.now() / 1000)] = process.argv.slice(2).map(Number);
let faults = 0;
for (const fuzz of [fuzzResources, fuzzYaml, fuzzHttp2]) {
  const report = await fuzz({ seed, count });
  faults += report.faults.length;
  // Older Node counts the collector's threads too: no measure of a stall.
  if (process.threadCpuUsage !== undefined && report.longestMs.cpu > MOST_STALL_MS) faults += 1;
  process.stdout.write(`${formatReport(report)}\n`);
}
process.exitCode = faults === 0 ? 0 : 1;
