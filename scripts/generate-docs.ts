import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BootstrapVariable, VARIABLES } from '../sdk/src/bootstrap/variables.ts';
import { DEFAULTS, type Default } from '../sdk/src/defaults.ts';
import { POLICY_HEAD, policyCounts, policyRows } from '../test/interop/envoy-policy/table.ts';
import { DIFFERENTIAL_HEAD, differentialCounts, differentialRows } from '../test/interop/grpc-differential/table.ts';
import { DEFAULTS as SERVER_DEFAULTS } from '../xds-server/src/defaults.ts';
import { supportedFields } from './supported-fields.ts';

/** Prints the reference pages that are data in the code; with --check it only says which are out of date. */
const FOLDER = path.join(path.dirname(fileURLToPath(import.meta.url)), '../docs');

const cell = (text: unknown): string => String(text).replaceAll('|', '\\|').replaceAll('\n', ' ');

function table(head: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const line = (cells: readonly unknown[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function defaults(entries: Readonly<Record<string, Default>>): string {
  const rows = Object.entries(entries).map(([name, { value, unit, meaning, source }]) => [
    `\`${name}\``,
    value,
    unit,
    meaning,
    source,
  ]);
  return table(['name', 'value', 'unit', 'meaning', 'source'], rows);
}

function callPolicy(): string {
  const { agrees, differs, 'not yet': later } = policyCounts();
  const rows = [...policyRows()].flatMap(([area, list]) => list.map((row) => [area, ...row]));
  return `# Call policy, case by case

What differs on purpose, and why: [compatibility](../compatibility.md#call-policy-against-live-envoy).

Printed from the cases of \`test/interop/envoy-policy\` by \`npm run docs\`. Each case gives live Envoy 1.40 (\`--concurrency 1\`) and the SDK the
same resources, the same misbehaving upstreams and the same calls, and compares statuses, response flags, tries, what arrived
at the upstreams, ejected hosts and local bodies. Envoy's part is recorded, counters of its \`/stats\` included, and played again where an
Envoy binary is found; the SDK is held to the recording in every run of \`npm run interop\`. What is chance is counted and must lie
within what chance does once in a million runs.

${agrees + differs + later} cases: ${agrees} agree, ${differs} differ on purpose, ${later} are not there yet.

How to read Envoy's column: status, response flags (\`-\`: none), tries; \`arrived\` where it is another number; \`{…}\` headers, \`"…"\` the body of an
answer the mesh makes. \`3 ×\`: three calls in a row.

${table(['area', ...POLICY_HEAD], rows)}
`;
}

function proxylessGrpc(): string {
  const { agrees, differs, 'not yet': later } = differentialCounts();
  const rows = [...differentialRows()].flatMap(([area, list]) => list.map((row) => [area, ...row]));
  return `# gRPC, case by case

What a proxyless client would notice first: [compatibility](../compatibility.md#grpc-against-grpc-go-and-grpcio).

Printed from the cases of \`test/interop/grpc-differential\` by \`npm run docs\`. One control plane of go-control-plane serves the same resources to grpc-go,
grpcio (C-core), grpc-js-xds and the mesh's channel, each of which makes the same calls to the same servers. What the first three do is recorded
and played again where they can be had; the mesh's channel is held to what grpc-go and grpcio do, and where these do not agree to one of
them. \`meshFetch\` must reach the same hosts wherever the rule is one of matching.

${agrees + differs + later} cases: ${agrees} agree, ${differs} differ on purpose, ${later} are not there yet.

How to read it: status and host of each call (\`3 ×\`: three in a row); \`HANGS\`: it ended by the caller's own deadline; \`DIED\`: the process has
ended; \`refuses\`: types of resources that were answered with a NACK.

${table(['area', ...DIFFERENTIAL_HEAD], rows)}
`;
}

const PAGES: Readonly<Record<string, () => string>> = {
  'reference/defaults.md': () =>
    `# Defaults\n\nPrinted from the code by \`npm run docs\`.\n\n## @inmesh/sdk\n\n${defaults(DEFAULTS)}\n\n## @inmesh/xds-server\n\n${defaults(SERVER_DEFAULTS)}\n`,
  'reference/bootstrap.md': () =>
    `# Bootstrap\n\nWhat \`@inmesh/sdk\` reads from the environment; \`createMesh\` takes options of the same meaning. \`inmesh bootstrap --kind sdk\`\nprints them for a control plane, \`--kind grpc\` and \`--kind envoy\` [files for other clients](../guides/control-plane.md#starting-other-clients).\nPrinted from the code by \`npm run docs\`.\n\n${table(
      ['variable', 'option', 'meaning', 'default', 'example'],
      (VARIABLES as readonly BootstrapVariable[]).map((variable) => [
        `\`${variable.name}\``,
        variable.option ? `\`${variable.option}\`` : '',
        variable.meaning,
        variable.default,
        `\`${variable.example}\``,
      ]),
    )}\n`,
  'reference/call-policy-cases.md': callPolicy,
  'reference/grpc-cases.md': proxylessGrpc,
  'supported-fields.md': () => supportedFields(table),
};

const check = process.argv.includes('--check');
let stale = 0;
for (const [name, render] of Object.entries(PAGES)) {
  const file = path.join(FOLDER, name);
  const text = render();
  if (existsSync(file) && readFileSync(file, 'utf8') === text) continue;
  stale++;
  if (check) process.stderr.write(`docs/${name} is out of date: run npm run docs\n`);
  else writeFileSync(file, text);
}
process.stdout.write(
  check ? `${stale} of ${Object.keys(PAGES).length} pages out of date\n` : `${stale} pages written\n`,
);
process.exitCode = check && stale > 0 ? 1 : 0;
