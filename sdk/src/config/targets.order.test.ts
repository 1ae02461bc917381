import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { settle } from '../../../test/harness/fake-clock.ts';
import type { createResourceBoard } from '../../../test/harness/resource-board.ts';
import { defaultOf } from '../defaults.ts';
import type { TargetConfig } from '../model/target.ts';
import { clusterType } from '../resource/cluster/cluster.ts';
import { loadAssignmentType } from '../resource/endpoint/load-assignment.ts';
import { listenerType } from '../resource/listener/listener.ts';
import { routeConfigurationType } from '../resource/route/route-configuration.ts';
import { clustersOf } from './join.ts';
import { cluster, endpoints, inUse, listener, routes, setUp, TARGET, textOf } from './targets.fixture.ts';

/** gRFC A74: whatever the order in which resources come, no configuration is torn, and all orders end alike. */
describe('any order of arrival', () => {
  const clusterNames = ['a', 'b', 'c'];
  type Post = (board: ReturnType<typeof createResourceBoard>) => void;

  const state = fc.record({
    routes: fc.subarray(clusterNames, { minLength: 1 }),
    clusters: fc.record(
      Object.fromEntries(clusterNames.map((name) => [name, fc.constantFrom('good', 'absent', 'bad')])),
    ),
    ports: fc.record(Object.fromEntries(clusterNames.map((name) => [name, fc.integer({ min: 1, max: 9 })]))),
  });

  const postsOf = (plan: typeof state extends fc.Arbitrary<infer S> ? S : never): Post[] => [
    (board) => board.post(listenerType, TARGET, listener()),
    (board) => board.post(routeConfigurationType, 'r', routes(...plan.routes)),
    ...clusterNames.flatMap((name): Post[] => [
      (board) => {
        const kind = plan.clusters[name];
        board.post(
          clusterType,
          name,
          kind === 'good' ? cluster(name) : kind === 'bad' ? { bad: 'bad' } : { absent: 'absent' },
        );
      },
      (board) => board.post(loadAssignmentType, name, endpoints(name, plan.ports[name] ?? 1)),
    ]),
  ];

  it('is never torn, and the end is the same', async () => {
    await fc.assert(
      fc.asyncProperty(
        state,
        state,
        fc.infiniteStream(fc.nat()),
        fc.array(fc.boolean(), { maxLength: 16 }),
        async (first, last, order, pauses) => {
          const torn: string[] = [];
          const prepare = async (config: TargetConfig) => {
            for (const name of clustersOf(config.routeConfiguration)) if (!config.clusters.has(name)) torn.push(name);
            await settle();
            return textOf(config);
          };
          const { targets, board, clock } = setUp({ prepare });
          targets.lookup(TARGET);
          const shuffled = (posts: Post[]) =>
            posts.map((post) => ({ post, rank: order.next().value ?? 0 })).sort((x, y) => x.rank - y.rank);
          const all = [...shuffled(postsOf(first)), ...shuffled(postsOf(last))];
          for (const [index, { post }] of all.entries()) {
            post(board);
            if (pauses[index]) await settle();
          }
          await clock.pass(defaultOf('clusterGraceMs'));
          for (let round = 0; round < 12; round += 1) await settle();
          expect(torn).toEqual([]);
          const expected = last.routes.map((name) => {
            // A bad version never replaces a good one; endpoints stay with the cluster that is there.
            const survives = last.clusters[name] === 'good';
            return survives ? `${name}=${last.ports[name]}` : `${name}=failed`;
          });
          const actual = inUse(targets.lookup(TARGET)).split(' ');
          for (const [index, text] of expected.entries()) {
            const name = last.routes[index] ?? '';
            const keepsGood = last.clusters[name] === 'bad' && first.clusters[name] === 'good';
            if (!keepsGood) expect(actual).toContain(text);
          }
          expect(actual).toHaveLength(expected.length);
        },
      ),
      { numRuns: 150 },
    );
  });
});
