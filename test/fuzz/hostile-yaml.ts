import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { parseAllDocuments, stringify } from 'yaml';
import { type Random, systemClock } from '../../sdk/src/clock.ts';
import { clusterType } from '../../sdk/src/resource/cluster/cluster.ts';
import { loadAssignmentType } from '../../sdk/src/resource/endpoint/load-assignment.ts';
import { isInbound, listenerType } from '../../sdk/src/resource/listener/listener.ts';
import type { ResourceType } from '../../sdk/src/resource/resource-type.ts';
import { routeConfigurationType } from '../../sdk/src/resource/route/route-configuration.ts';
import { defaultOf } from '../../xds-server/src/defaults.ts';
import { createRegistry } from '../../xds-server/src/registry/registry.ts';
import { type ParsedText, type ParseMemo, parseSteps, parseText } from '../../xds-server/src/schema/parse.ts';
import { stepsInTurns } from '../../xds-server/src/schema/steps.ts';
import type { Problem } from '../../xds-server/src/schema/types.ts';
import { createSnapshots, type Snapshots } from '../../xds-server/src/snapshot/snapshots.ts';
import { Collection } from '../../xds-server/src/source/collection.ts';
import { NO_LOCALITY, type View } from '../../xds-server/src/translate/view.ts';
import { settle } from '../harness/fake-clock.ts';
import { seededRandom } from '../harness/seeded-random.ts';
import { below, mutateText, mutateTree } from './mutate.ts';
import { type FuzzOptions, type FuzzReport, MOST_FAULTS } from './report.ts';
import { watchStalls } from './stall.ts';

const MESH = readFileSync(path.join(import.meta.dirname, 'seeds/mesh.yaml'), 'utf8');
const DOCUMENTS = MESH.split(/^---\n/m);
const TREES = parseAllDocuments(MESH).map((document) => document.toJS() as unknown);
const FILE = 'mesh.yaml';

const viewOf = (kind: View['kind'], namespace: string): View => ({
  kind,
  namespace,
  labels: new Map(),
  locality: NO_LOCALITY,
});
const SDK = viewOf('sdk', 'default');
const OTHERS = [viewOf('sdk', 'other'), viewOf('grpc', 'default'), viewOf('envoy', 'default')];
const HOSTS = ['reviews:9080', 'ratings:9080', 'api.example.com:80', 'nobody:80'];

const PACE = { now: () => performance.now(), turn: settle, sliceMs: defaultOf('parseSliceMs') };

/** The way of an edit: parse, keep what is broken as it was, registry, translation; then what is served is read as an SDK reads it. */
export async function fuzzYaml({ seed, count }: FuzzOptions): Promise<FuzzReport> {
  const random = seededRandom(seed);
  const stalls = watchStalls();
  const run = new Run((what) => stalls.doing(what));
  let accepted = 0;
  for (let index = 0; index < count && run.faults.length < MOST_FAULTS; index++) {
    const chosen = below(random, DOCUMENTS.length);
    const title = `input ${index} (document ${chosen})`;
    stalls.doing(undefined);
    const document = mutate(chosen, random);
    await settle();
    if (await run.feed(chosen, document, title)) accepted++;
  }
  stalls.stop();
  run.snapshots.close();
  const { wallMs, cpuMs, what } = stalls.longest;
  return {
    what: 'hostile YAML at the control plane',
    seed,
    inputs: count,
    accepted,
    refused: count - accepted,
    longestMs: { wall: wallMs, cpu: cpuMs, during: what },
    faults: run.faults,
  };
}

function mutate(chosen: number, random: Random): string {
  if (below(random, 3) > 0) return stringify(mutateTree(TREES[chosen], random));
  return mutateText(DOCUMENTS[chosen] ?? '', random);
}

class Run {
  readonly faults: string[] = [];
  readonly snapshots: Snapshots;
  readonly #collection = new Collection();
  readonly #memo: ParseMemo = new Map();
  readonly #good: string;
  /** Clusters of the last look that routes name and nobody serves. */
  readonly #dangling = new Set<string>();
  #title = '';

  readonly #doing: (what: string) => void;

  constructor(doing: (what: string) => void) {
    this.#doing = doing;
    this.snapshots = createSnapshots({
      registry: createRegistry(),
      clock: systemClock,
      hash: (bytes) => createHash('sha256').update(bytes).digest('base64url').slice(0, 22),
      failed: (message) => this.#fault(`translation threw: ${message}`),
    });
    this.#apply(parseText(MESH, FILE, this.#memo));
    this.#good = this.#served();
    if (!HOSTS.slice(0, 3).every((host) => this.#good.includes(host)))
      throw new Error('the seed does not serve its hosts');
  }

  /** True when nothing of the input was an error. */
  async feed(chosen: number, document: string, title: string): Promise<boolean> {
    this.#title = title;
    const before = this.faults.length;
    try {
      this.#doing(`${title}: reading ${document.slice(0, 60)} of ${document.length}`);
      const parsed = await this.#parse(DOCUMENTS.toSpliced(chosen, 1, document).join('---\n'));
      await settle();
      this.#doing(`${title}: applying`);
      const problems = this.#apply(parsed);
      await settle();
      this.#doing(`${title}: serving`);
      const served = this.#served();
      this.#checkProblems(problems);
      if (this.#dangling.size > 0 && problems.length === 0)
        this.#fault(`nobody is told of ${[...this.#dangling].join()}`);
      await settle();
      const errors = problems.filter(({ severity }) => severity === 'error');
      this.#doing(`${title}: mending`);
      this.#apply(await this.#parse(MESH));
      await settle();
      if (this.#served() !== this.#good) this.#fault('the good configuration does not come back');
      if (served === '') this.#fault('nothing is served');
      return errors.length === 0;
    } catch (error) {
      this.#fault(`threw ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      return false;
    } finally {
      if (this.faults.length > before) this.faults.push(`${this.#title} was:\n${document.slice(0, 2_000)}`);
    }
  }

  #fault(what: string): void {
    this.faults.push(`${this.#title}: ${what}`);
  }

  /** As a watched folder reads a file. */
  #parse(text: string): Promise<ParsedText> {
    return stepsInTurns(parseSteps(text, FILE, this.#memo), PACE);
  }

  #apply(parsed: ParsedText): readonly Problem[] {
    this.#collection.set(FILE, parsed);
    const events = this.#collection.changes();
    for (const event of events) {
      const isLost = event.kind === 'delete' && (parsed.unreadable || parsed.broken.includes(event.key));
      if (isLost) this.#fault(`a broken document took ${event.key} away`);
    }
    this.snapshots.apply(events);
    this.snapshots.flush();
    return [...this.#collection.problems(), ...this.snapshots.problems()];
  }

  #checkProblems(problems: readonly Problem[]): void {
    for (const { severity, file, line, message } of problems) {
      if (file !== FILE || !(line >= 1) || message.trim() === '') {
        this.#fault(`a problem without its place or reason: ${severity} ${file}:${line}: ${message}`);
      }
    }
  }

  /** Everything an SDK would ask for, with its versions; whatever it would refuse is a fault of ours. */
  #served(): string {
    const lines: string[] = [];
    this.#dangling.clear();
    for (const host of HOSTS) {
      const listener = this.#read(listenerType, host, lines);
      const isRds = listener !== undefined && !isInbound(listener) && listener.routes.kind === 'rds';
      const routes = isRds ? listener.routes.routeConfigurationName : undefined;
      const table = routes === undefined ? undefined : this.#read(routeConfigurationType, routes, lines);
      for (const { action } of table?.virtualHosts.flatMap((host) => host.routes) ?? []) {
        if (action.kind === 'forward') for (const { name } of action.clusters) this.#readCluster(name, lines);
      }
      for (const view of OTHERS) this.snapshots.current().resource(view, listenerType.typeUrl, host);
    }
    return lines.join('\n');
  }

  #readCluster(name: string, lines: string[]): void {
    const cluster = this.#read(clusterType, name, lines);
    if (cluster === undefined) this.#dangling.add(name);
    else if (cluster.discovery.kind === 'eds') this.#read(loadAssignmentType, cluster.discovery.serviceName, lines);
  }

  #read<T>(type: ResourceType<T>, name: string, lines: string[]): T | undefined {
    const resource = this.snapshots.current().resource(SDK, type.typeUrl, name);
    if (resource === undefined) return undefined;
    lines.push(`${name} ${resource.version}`);
    const decoded = type.decode(fromBinary(AnySchema, resource.any).value);
    if ('ok' in decoded) return decoded.ok;
    this.#fault(`serves what the SDK refuses: ${name}: ${decoded.errors.join('; ').slice(0, 500)}`);
    return undefined;
  }
}
