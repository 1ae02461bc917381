import { describe, expect, it } from 'vitest';
import { settle } from '../../../test/harness/fake-clock.ts';
import { anyOf } from '../../../test/harness/scripted-ads.ts';
import * as xds from '../../../test/harness/xds-resources.ts';
import { UpstreamTlsContextSchema } from '../../gen/tls.js';
import { defaultOf } from '../defaults.ts';
import { clusterType } from '../resource/cluster/cluster.ts';
import { loadAssignmentType } from '../resource/endpoint/load-assignment.ts';
import { cluster, decoded, endpoints, postAll, setUp, TARGET } from './targets.fixture.ts';

/** By endpoint, as auto-mTLS is. */
const chosen = () => {
  const value = anyOf(UpstreamTlsContextSchema, {
    sni: 'chosen',
    commonTlsContext: { validationContextType: { case: undefined } },
  });
  const transportSocket = { name: 'tls', configType: { case: 'typedConfig', value } } as const;
  const transportSocketMatches = [{ name: 'tlsMode-istio', match: { tlsMode: 'istio' }, transportSocket }];
  return decoded(clusterType, xds.cluster('a', { transportSocketMatches }));
};

const secured = (sni: string) => {
  const value = anyOf(UpstreamTlsContextSchema, {
    sni,
    commonTlsContext: { validationContextType: { case: undefined } },
  });
  const transportSocket = { name: 'tls', configType: { case: 'typedConfig', value } } as const;
  return decoded(clusterType, xds.cluster('a', { transportSocket }));
};

/** One cluster, spoken to by TLS. */
async function begin() {
  const all = setUp();
  all.targets.lookup(TARGET);
  postAll(all.board, 'a');
  all.board.post(clusterType, 'a', secured('before'));
  await settle();
  const now = () => {
    const state = all.targets.lookup(TARGET);
    const found = state.kind === 'ready' ? state.config.clusters.get('a') : undefined;
    if (found?.kind !== 'ready') return undefined;
    const { cluster: of, assignment } = found.config;
    const ports = assignment?.localities.flatMap((locality) => locality.endpoints.map(({ port }) => port)) ?? [];
    return [of.transportMatches === undefined ? (of.tls?.sni ?? 'in clear') : 'by endpoint', ...ports];
  };
  return { ...all, now };
}

describe('while a control plane that was restarted learns what there is', () => {
  it('endpoints that stay are spoken to as before: not in clear', async () => {
    const { board, clock, now } = await begin();
    board.settlesInMs = 5_000;
    board.post(clusterType, 'a', cluster('a'));
    board.post(loadAssignmentType, 'a', endpoints('a'));
    await settle();
    expect(now()).toEqual(['before', 1]);
    board.post(clusterType, 'a', secured('before'));
    board.post(loadAssignmentType, 'a', endpoints('a', 1, 2));
    await settle();
    expect(now()).toEqual(['before', 1, 2]);
    await clock.pass(10_000);
    expect(now()).toEqual(['before', 1, 2]);
  });

  it('a change of TLS comes with the endpoints that it is for', async () => {
    const { board, now } = await begin();
    board.settlesInMs = 5_000;
    board.post(clusterType, 'a', secured('after'));
    await settle();
    expect(now()).toEqual(['before', 1]);
    board.post(loadAssignmentType, 'a', endpoints('a', 2));
    await settle();
    expect(now()).toEqual(['after', 2]);
  });

  it('or when it must be over; afterwards it comes at once', async () => {
    const { board, clock, now } = await begin();
    board.settlesInMs = 5_000;
    board.post(clusterType, 'a', secured('after'));
    await clock.pass(4_999);
    expect(now()).toEqual(['before', 1]);
    await clock.pass(1);
    expect(now()).toEqual(['after', 1]);
    board.settlesInMs = 0;
    board.post(clusterType, 'a', cluster('a'));
    await settle();
    expect(now()).toEqual(['in clear', 1]);
  });
});

describe('when the last endpoint that takes TLS goes', () => {
  it('the cluster without TLS waits for the endpoints that come with it, within bounds', async () => {
    const { board, clock, now } = await begin();
    board.post(clusterType, 'a', chosen());
    await settle();
    board.post(clusterType, 'a', cluster('a'));
    await settle();
    expect(now()).toEqual(['by endpoint', 1]);
    board.post(loadAssignmentType, 'a', endpoints('a', 2));
    await settle();
    expect(now()).toEqual(['in clear', 2]);
    board.post(clusterType, 'a', chosen());
    board.post(clusterType, 'a', cluster('a'));
    await clock.pass(defaultOf('clusterGraceMs'));
    expect(now()).toEqual(['in clear', 2]);
  });
});
