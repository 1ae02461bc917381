import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../grpc-peers/backend.ts';
import type { Peer } from '../grpc-peers/peer.ts';
import { PEER_KINDS, type PeerKind } from '../grpc-peers/peers.ts';
import { ask, placed, startBackends } from './calls.ts';
import { createIssuer, type Issuer } from './certificate-files.ts';
import { isHere, refusalsIn, startClient } from './clients.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { ACTIONS } from './features/actions.ts';
import { destinationRule, type Feature, service, workloadEntry } from './features/feature.ts';
import { MATCHES } from './features/matches.ts';
import { PLACES } from './features/places.ts';
import { POLICIES } from './features/policies.ts';
import { SECURITY } from './features/security.ts';

/** All that Istio can say, at once: each feature in a namespace of its own, each called by every gRPC client there is. */

const FEATURES = [...MATCHES, ...ACTIONS, ...POLICIES, ...PLACES, ...SECURITY].map((feature, index) => ({
  ...feature,
  namespace: `n${index}`,
}));

let backends: readonly Backend[] = [];
const peers = new Map<PeerKind, Peer>();
let issuer: Issuer;
let plane: ControlPlane;

const echo = (): string =>
  service('ports: [{name: grpc, port: 7070}], selector: {app: echo}') +
  destinationRule(
    `host: echo, subsets: [${[1, 2, 3].map((n) => `{name: v${n}, labels: {version: v${n}}}`).join(', ')}]`,
    'echo',
  ) +
  [1, 2, 3]
    .map((n) =>
      workloadEntry(`address: 127.0.0.1, ports: {grpc: PORT${n}}, labels: {app: echo, version: v${n}}`, `echo-${n}`),
    )
    .join('');

const yamlOf = ({ yaml, isBare, namespace }: Feature & { readonly namespace: string }): string =>
  placed((isBare ? '' : echo()) + yaml, backends, namespace);

beforeAll(async () => {
  issuer = await createIssuer();
  backends = await startBackends(issuer);
  plane = await startControlPlane(FEATURES.map(yamlOf).join(''));
  const places = { locality: { region: 'eu', zone: 'a' } };
  for (const kind of PEER_KINDS.filter(isHere))
    peers.set(kind, await startClient(kind, { xds: plane.xds, files: await issuer.issue(kind), ...places }));
});

afterAll(async () => {
  for (const peer of peers.values()) await peer.stop();
  await plane.close();
  for (const backend of backends) await backend.close();
  issuer.remove();
});

describe.each(PEER_KINDS.filter(isHere))('%s', (kind) => {
  it.each(FEATURES)('$name', async ({ namespace, asks }) => {
    const peer = peers.get(kind);
    if (peer === undefined) throw new Error('it is not here');
    for (const one of asks) await ask(kind, peer, one, namespace);
    expect(plane.nacks.filter((nack) => nack.startsWith(kind) && nack.includes(`.${namespace}.`))).toEqual([]);
    expect(peer.crash()).toBeUndefined();
  });

  it('has refused nothing', () => {
    expect(plane.nacks.filter((nack) => nack.startsWith(kind))).toEqual([]);
    expect(refusalsIn(kind, peers.get(kind)?.log() ?? '')).toEqual([]);
  });
});

describe.skipIf(PEER_KINDS.every(isHere))('not here', () => {
  it.skip.each(PEER_KINDS.filter((kind) => !isHere(kind)))('%s', () => {});
});
