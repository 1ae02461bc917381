import { fromJson, type JsonObject, toBinary } from '@bufbuild/protobuf';
import { ClusterSchema } from '../../../sdk/gen/cluster.js';
import { ClusterLoadAssignmentSchema } from '../../../sdk/gen/endpoint.js';
import { registry } from '../../../sdk/gen/registry.js';
import { xxHash64 } from '../../../sdk/src/balancer/hash/xx-hash-64.ts';
import { type Clock, type Random, systemClock, systemRandom } from '../../../sdk/src/clock.ts';
import type { LoadAssignment } from '../../../sdk/src/model/cluster.ts';
import type { ClusterConfig } from '../../../sdk/src/model/target.ts';
import { clusterType } from '../../../sdk/src/resource/cluster/cluster.ts';
import { loadAssignmentType } from '../../../sdk/src/resource/endpoint/load-assignment.ts';
import type { Decoded } from '../../../sdk/src/resource/resource-type.ts';
import type { Pick } from '../../../sdk/src/upstream/pick.ts';
import type { Upstream } from '../../../sdk/src/upstream/types.ts';
import { createUpstream } from '../../../sdk/src/upstream/upstream.ts';
import { assignmentOf, type BalanceCase, clusterOf } from './cases.ts';
import { idOf, NOBODY } from './hosts.ts';

/** The protobuf that Envoy is given, through our own decoders. */
export function configOf(balanceCase: BalanceCase, port: number): ClusterConfig {
  const cluster = modelOf(clusterType.decode(bytesOf(ClusterSchema, clusterOf(balanceCase, port))));
  return { cluster, assignment: balanceCase.live ? decodeAssignment(balanceCase, port) : undefined };
}

const decodeAssignment = (balanceCase: BalanceCase, port: number): LoadAssignment =>
  modelOf(loadAssignmentType.decode(bytesOf(ClusterLoadAssignmentSchema, assignmentOf(balanceCase, port))));

const bytesOf = (schema: typeof ClusterSchema | typeof ClusterLoadAssignmentSchema, json: JsonObject): Uint8Array =>
  toBinary(schema, fromJson(schema, json, { registry }));

function modelOf<T>(decoded: Decoded<T>): T {
  if ('errors' in decoded) throw new Error(`${decoded.name}: ${decoded.errors.join('; ')}`);
  return decoded.ok;
}

/** Our own balancing of a case, asked as Envoy is. */
export class OwnBalancing {
  readonly upstream: Upstream;
  readonly #port: number;

  constructor(balanceCase: BalanceCase, port: number, { random = systemRandom, clock = systemClock }: Chance = {}) {
    this.#port = port;
    this.upstream = createUpstream(configOf(balanceCase, port), { clock, random, emit: () => {} });
  }

  assign(balanceCase: BalanceCase): Promise<void> {
    this.upstream.update(configOf(balanceCase, this.#port));
    return this.upstream.prepare();
  }

  /** One request after the other. */
  ask(keys: readonly string[]): number[] {
    return keys.map((key) => {
      const held = this.hold(key);
      held.answer();
      return held.host;
    });
  }

  askMany(count: number): number[] {
    return this.ask(new Array<string>(count).fill(''));
  }

  hold(key = ''): { readonly host: number; answer(): void } {
    const picked = this.upstream.pick({ hash: xxHash64(key) });
    if (picked.kind !== 'pick') return { host: NOBODY, answer: () => {} };
    return { host: idOf(picked.host.address), answer: () => answered(picked) };
  }
}

interface Chance {
  readonly random?: Random;
  readonly clock?: Clock;
}

function answered(picked: Pick): void {
  picked.outcome({ status: 200 });
  picked.release();
}
