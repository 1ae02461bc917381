import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { createRegistry } from '../registry/registry.ts';
import type { ChangeEvent } from '../schema/types.ts';
import {
  certificatePem,
  ISTIO,
  keyPem,
  meshConfig,
  peerAuthentication,
  secret,
  service,
  workload,
} from '../translate/fixtures/mutual-tls.ts';
import { objectsOf, viewFrom } from '../translate/fixtures/world-from-yaml.ts';
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, SECRET_TYPE } from '../translate/resource-types.ts';
import type { View } from '../translate/view.ts';
import { createSnapshots } from './snapshots.ts';

const upserts = (yaml: string): ChangeEvent[] => objectsOf(yaml).map((object) => ({ kind: 'upsert', object }));
const INBOUND = 'xds.istio.io/grpc/lds/inbound/0.0.0.0:9081';
const REVIEWS = 'outbound|9080||reviews.default.svc.cluster.local';
const VIEW = viewFrom('default', { labels: new Map([['app', 'reviews']]) });

const setUp = (...yaml: readonly string[]) => {
  const clock = createFakeClock();
  const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  const snapshots = createSnapshots({ registry: createRegistry(), clock, hash });
  snapshots.apply(yaml.flatMap(upserts));
  let told = 0;
  snapshots.onChange(() => {
    told += 1;
  });
  const version = (typeUrl: string, name: string, view: View = VIEW): string | undefined =>
    snapshots.current().resource(view, typeUrl, name)?.version;
  const change = async (...events: readonly ChangeEvent[]): Promise<void> => {
    snapshots.apply(events);
    await clock.pass(100);
  };
  return { snapshots, version, change, told: () => told };
};

describe('the roots of the mesh', () => {
  const bundle = (body: string) => ({ roots: [certificatePem(body)] });

  it('are served at once to everybody, and again when they change; the same roots are no change', () => {
    const { snapshots, version, told } = setUp(service());
    expect(version(SECRET_TYPE, 'ROOTCA')).toBeUndefined();
    snapshots.setTrustBundle(bundle('one'));
    const first = version(SECRET_TYPE, 'ROOTCA');
    expect(first).toBeDefined();
    expect(version(SECRET_TYPE, 'ROOTCA', viewFrom('other', { kind: 'envoy' }))).toBe(first);
    expect(told()).toBe(1);
    snapshots.setTrustBundle(bundle('one'));
    expect(told()).toBe(1);
    snapshots.setTrustBundle(bundle('two'));
    expect(version(SECRET_TYPE, 'ROOTCA')).not.toBe(first);
    snapshots.setTrustBundle(undefined);
    expect(version(SECRET_TYPE, 'ROOTCA')).toBeUndefined();
  });

  it('that are there before the first configuration do not delay it', () => {
    const hash = (bytes: Uint8Array): string => String(bytes.length);
    const snapshots = createSnapshots({ registry: createRegistry(), clock: createFakeClock(), hash });
    snapshots.setTrustBundle(bundle('one'));
    snapshots.apply(upserts(service()));
    expect(snapshots.current().resource(VIEW, CLUSTER_TYPE, REVIEWS)).toBeDefined();
    expect(snapshots.current().resource(VIEW, SECRET_TYPE, 'ROOTCA')).toBeDefined();
  });

  it('follow the trust domains of the MeshConfig', async () => {
    const { snapshots, version, change } = setUp(service());
    snapshots.setTrustBundle(bundle('one'));
    const before = version(SECRET_TYPE, 'ROOTCA');
    await change(...upserts(meshConfig('{ trustDomainAliases: [old.example] }')));
    expect(version(SECRET_TYPE, 'ROOTCA')).not.toBe(before);
  });
});

describe('one change of identity concerns whom it concerns', () => {
  it('a Secret: who asks for it, in its namespace', async () => {
    const pair = (key: string) => secret('web', { cert: certificatePem('a'), key: keyPem(key) });
    const { version, change } = setUp(service(), pair('one'));
    const before = version(SECRET_TYPE, 'kubernetes://web');
    expect(version(SECRET_TYPE, 'kubernetes://web', viewFrom('shop'))).toBeUndefined();
    await change(...upserts(pair('two')));
    expect(version(SECRET_TYPE, 'kubernetes://web')).not.toBe(before);
    await change({ kind: 'delete', key: 'Secret/default/web' });
    expect(version(SECRET_TYPE, 'kubernetes://web')).toBeUndefined();
  });

  it('a PeerAuthentication by labels: workloads that have them, however many other labels they carry', async () => {
    const { version, change } = setUp(service());
    const other = viewFrom('default', { labels: new Map([['app', 'ratings']]) });
    const twin = viewFrom('default', {
      labels: new Map([
        ['app', 'reviews'],
        ['pod-template-hash', 'x'],
      ]),
    });
    const [own, others] = [version(LISTENER_TYPE, INBOUND), version(LISTENER_TYPE, INBOUND, other)];
    await change(
      ...upserts(peerAuthentication('{ selector: { matchLabels: { app: reviews } }, mtls: { mode: STRICT } }')),
    );
    expect(version(LISTENER_TYPE, INBOUND)).not.toBe(own);
    expect(version(LISTENER_TYPE, INBOUND, twin)).toBe(version(LISTENER_TYPE, INBOUND));
    expect(version(LISTENER_TYPE, INBOUND, other)).toBe(others);
    await change({ kind: 'delete', key: 'PeerAuthentication/default/default' });
    expect(version(LISTENER_TYPE, INBOUND)).toBe(own);
  });

  it('DISABLE: the callers’ endpoints, not their clusters', async () => {
    const { version, change } = setUp(service(), workload('reviews-v1', 'v1', ISTIO));
    const [endpoints, cluster] = [version(ENDPOINT_TYPE, REVIEWS), version(CLUSTER_TYPE, REVIEWS)];
    await change(...upserts(peerAuthentication('{ mtls: { mode: DISABLE } }')));
    expect(version(ENDPOINT_TYPE, REVIEWS)).not.toBe(endpoints);
    expect(version(CLUSTER_TYPE, REVIEWS)).toBe(cluster);
    await change(...upserts(peerAuthentication('{ mtls: { mode: STRICT } }')));
    expect(version(ENDPOINT_TYPE, REVIEWS)).toBe(endpoints);
  });

  it('a gRPC server’s label says whether it takes TLS, and is part of who asks', () => {
    const { version } = setUp(service());
    const grpc = (labels: ReadonlyMap<string, string>) => viewFrom('default', { kind: 'grpc', labels });
    const labelled = grpc(new Map([['security.istio.io/tlsMode', 'istio']]));
    expect(version(LISTENER_TYPE, INBOUND, labelled)).not.toBe(version(LISTENER_TYPE, INBOUND, grpc(new Map())));
  });

  it('an endpoint more of a known account is no change of the cluster; the first that takes mTLS is', async () => {
    const of = (name: string, version: string, rest = '') =>
      workload(name, version, rest).replace(`serviceAccount: ${name}`, 'serviceAccount: reviews');
    const { version, change } = setUp(service(), of('a', 'v1'));
    const plain = version(CLUSTER_TYPE, REVIEWS);
    await change(...upserts(of('b', 'v2', ISTIO)));
    const mutual = version(CLUSTER_TYPE, REVIEWS);
    expect(mutual).not.toBe(plain);
    await change(...upserts(of('c', 'v3', ISTIO)));
    expect(version(CLUSTER_TYPE, REVIEWS)).toBe(mutual);
    await change(
      { kind: 'delete', key: 'WorkloadEntry/default/b' },
      { kind: 'delete', key: 'WorkloadEntry/default/c' },
    );
    expect(version(CLUSTER_TYPE, REVIEWS)).toBe(plain);
  });
});

describe('problems', () => {
  it('come and go with what they are about, at their lines', async () => {
    const strict = peerAuthentication('{ mtls: { mode: STRICT } }');
    const { snapshots, change } = setUp(service(), workload('old', 'v1'), strict);
    const said = () => snapshots.problems().map(({ line, fieldPath, severity }) => `${line} ${severity} ${fieldPath}`);
    expect(said()).toEqual(['5 warning spec.mtls.mode']);
    await change(...upserts(workload('old', 'v1', ISTIO)));
    expect(said()).toEqual([]);
    await change(...upserts(workload('other', 'v2')));
    expect(said()).toEqual(['5 warning spec.mtls.mode']);
    await change({ kind: 'delete', key: 'WorkloadEntry/default/other' });
    expect(said()).toEqual([]);
  });
});
