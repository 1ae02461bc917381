import { type DescMessage, fromJson, type JsonObject, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { ClusterSchema } from '../../sdk/gen/cluster.js';
import { ClusterLoadAssignmentSchema } from '../../sdk/gen/endpoint.js';
import { ListenerSchema } from '../../sdk/gen/listener.js';
import { registry } from '../../sdk/gen/registry.js';
import { RouteConfigurationSchema } from '../../sdk/gen/route.js';
import type { Random } from '../../sdk/src/clock.ts';
import { createMesh, type Mesh } from '../../sdk/src/mesh.ts';
import type { MeshEvent } from '../../sdk/src/model/events.ts';
import { settle } from '../harness/fake-clock.ts';
import { seededRandom } from '../harness/seeded-random.ts';
import { createStaticAds, type StaticAds } from '../harness/static-ads.ts';
import { below, mutateBytes, mutateTree, nestedBytes, oneOf } from './mutate.ts';
import { type FuzzOptions, type FuzzReport, MOST_FAULTS } from './report.ts';
import { assignmentJson, CLUSTERS, clusterJson, listenerJson, ROUTES, routesJson, TARGET } from './seeds/xds.ts';
import { type StallWatch, watchStalls } from './stall.ts';

interface Seed {
  readonly name: string;
  readonly schema: DescMessage;
  readonly json: JsonObject;
  readonly bytes: Uint8Array;
}

const seed = (name: string, schema: DescMessage, json: JsonObject): Seed => ({
  name,
  schema,
  json,
  bytes: toBinary(schema, fromJson(schema, json, { registry })),
});

const [V1, V2] = CLUSTERS;
const SEEDS: readonly Seed[] = [
  seed(TARGET, ListenerSchema, listenerJson),
  seed(ROUTES, RouteConfigurationSchema, routesJson),
  seed(V1, ClusterSchema, clusterJson(V1, 'RING_HASH')),
  seed(V2, ClusterSchema, clusterJson(V2, 'LEAST_REQUEST')),
  seed(V1, ClusterLoadAssignmentSchema, assignmentJson(V1)),
  seed(V2, ClusterLoadAssignmentSchema, assignmentJson(V2)),
];

const typeUrlOf = ({ schema }: Seed): string => `type.googleapis.com/${schema.typeName}`;
const REQUESTS = [
  { url: `http://${TARGET}/api/v1/a`, headers: { 'x-a': 'abc', 'x-b': '77', 'x-c': '', 'x-user': 'u' } },
  { url: `http://${TARGET}/anything?q=p`, random: 12_345 },
];

/** Real bytes through discovery, join, compilation and decision; after each, the good resource again. */
export async function fuzzResources({ seed, count }: FuzzOptions): Promise<FuzzReport> {
  const random = seededRandom(seed);
  const ads = createStaticAds();
  const mesh = createMesh({ transport: ads.transport }, { env: {} });
  const stalls = watchStalls();
  const run = new Run(mesh, ads, stalls);
  for (const good of SEEDS) run.send(good, good.bytes);
  await run.start();
  let accepted = 0;
  for (let index = 0; index < count && run.faults.length < MOST_FAULTS; index++) {
    const chosen = oneOf(random, SEEDS);
    // Making the input is not the mesh's stall.
    stalls.doing(undefined);
    const { bytes, how } = mutate(chosen, random);
    await settle();
    if (await run.feed(chosen, bytes, `input ${index} (${how} ${chosen.schema.name})`)) accepted++;
  }
  stalls.stop();
  await mesh.close();
  const { wallMs, cpuMs, what } = stalls.longest;
  return {
    what: 'hostile resources at the SDK',
    seed,
    inputs: count,
    accepted,
    refused: count - accepted,
    longestMs: { wall: wallMs, cpu: cpuMs, during: what },
    faults: run.faults,
  };
}

function mutate({ schema, json, bytes }: Seed, random: Random): { readonly bytes: Uint8Array; readonly how: string } {
  const draw = below(random, 20);
  // The field numbers of structs, matchers and metadata, deeper than a stack goes.
  if (draw === 0) {
    return {
      bytes: Buffer.concat([bytes, nestedBytes(1 + below(random, 30), oneOf(random, [50, 5_000, 50_000]))]),
      how: 'nested',
    };
  }
  if (draw < 8) return { bytes: mutateBytes(bytes, random), how: 'bytes' };
  try {
    const value = mutateTree<JsonValue>(json, random);
    return { bytes: toBinary(schema, fromJson(schema, value, { registry })), how: 'fields' };
  } catch {
    // What JSON cannot say, bytes can.
    return { bytes: mutateBytes(bytes, random), how: 'bytes' };
  }
}

class Run {
  readonly faults: string[] = [];
  readonly #mesh: Mesh;
  readonly #ads: StaticAds;
  readonly #stalls: StallWatch;
  #good = '';
  #heard: (event: MeshEvent) => void = () => {};

  constructor(mesh: Mesh, ads: StaticAds, stalls: StallWatch) {
    this.#mesh = mesh;
    this.#ads = ads;
    this.#stalls = stalls;
    mesh.on((event) => this.#heard(event));
  }

  async start(): Promise<void> {
    await this.#mesh.ready({ hosts: [TARGET] });
    this.#good = await this.#decisions();
  }

  send(seed: Seed, value: Uint8Array): void {
    this.#ads.set(seed.name, { typeUrl: typeUrlOf(seed), value });
  }

  /** True when the input was taken. */
  async feed(seed: Seed, bytes: Uint8Array, title: string): Promise<boolean> {
    this.#stalls.doing(title);
    const answer = await this.#push(seed, bytes);
    await settle();
    const decisions = await this.#decisions().catch((error: unknown) => {
      this.faults.push(`${title}: deciding threw ${String(error)}`);
      return '';
    });
    if (answer.kind === 'xds-nack') this.#checkRefusal(answer.errors, seed, title);
    if (answer.kind === 'xds-nack' && decisions !== this.#good) this.faults.push(`${title}: the last good one is lost`);
    await this.#restore(seed, title);
    return answer.kind === 'xds-ack';
  }

  #checkRefusal(errors: readonly string[], { name }: Seed, title: string): void {
    const isNamed =
      errors.length > 0 && errors.every((error) => error.startsWith(`${name}: `) && error.length > name.length + 10);
    if (!isNamed) this.faults.push(`${title}: refused without a name or reason: ${errors.join(' | ').slice(0, 300)}`);
  }

  async #push(seed: Seed, bytes: Uint8Array): Promise<Extract<MeshEvent, { kind: 'xds-ack' | 'xds-nack' }>> {
    const { promise, resolve } = Promise.withResolvers<Extract<MeshEvent, { kind: 'xds-ack' | 'xds-nack' }>>();
    this.#heard = (event) => {
      const isAnswer = event.kind === 'xds-ack' || event.kind === 'xds-nack';
      if (isAnswer && event.typeUrl === typeUrlOf(seed)) resolve(event);
    };
    this.send(seed, bytes);
    return promise;
  }

  /** The good one must take its place again, whatever the bad one did. */
  async #restore(seed: Seed, title: string): Promise<void> {
    await this.#push(seed, seed.bytes);
    for (let turn = 0; turn < 2_000; turn++) {
      if ((await this.#decisions()) === this.#good) return;
      await settle();
    }
    this.faults.push(`${title}: the good resource does not come back`);
    this.#good = await this.#decisions();
  }

  async #decisions(): Promise<string> {
    const answers = [];
    for (const request of REQUESTS) {
      const { route, cluster, endpoints } = await this.#mesh.explain(request);
      answers.push({ route, cluster, endpoints });
    }
    return JSON.stringify(answers);
  }
}
