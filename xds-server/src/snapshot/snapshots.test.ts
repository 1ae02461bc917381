import { createHash } from 'node:crypto';
import { fromBinary } from '@bufbuild/protobuf';
import { RouteSourcesSchema } from '@inmesh/sdk/internal/gen/inmesh';
import { RouteConfigurationSchema } from '@inmesh/sdk/internal/gen/route';
import { describe, expect, it } from 'vitest';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { registrationEvent } from '../registry/registration.ts';
import { createRegistry } from '../registry/registry.ts';
import type { ChangeEvent } from '../schema/types.ts';
import { REVIEWS, REVIEWS_ROUTES, REVIEWS_SUBSETS, reviewsPolicy, reviewsRule } from '../translate/fixtures/reviews.ts';
import { objectsOf, viewFrom } from '../translate/fixtures/world-from-yaml.ts';
import {
  CLUSTER_TYPE,
  ENDPOINT_TYPE,
  LISTENER_TYPE,
  ROUTE_SOURCES_TYPE,
  ROUTE_TYPE,
} from '../translate/resource-types.ts';
import type { View } from '../translate/view.ts';
import type { EncodedResource } from './encoded-resource.ts';
import { createSnapshots } from './snapshots.ts';

const VIEW = viewFrom('default');
const upserts = (yaml: string): ChangeEvent[] => objectsOf(yaml).map((object) => ({ kind: 'upsert', object }));
const to = (subset: string): string =>
  reviewsRule(`    - route: [{ destination: { host: reviews, subset: ${subset} } }]`);
const endpoint = (port: number): string => `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: reviews-v1, namespace: default }
spec: { address: 127.0.0.1, ports: { http: ${port} }, labels: { app: reviews, version: v1 } }`;

const setUp = (...yaml: readonly string[]) => {
  const clock = createFakeClock();
  const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  const failures: string[] = [];
  const failed = (message: string): void => void failures.push(message);
  const snapshots = createSnapshots({ registry: createRegistry(), clock, hash, failed });
  snapshots.apply(yaml.flatMap(upserts));
  const served: string[] = [];
  snapshots.onChange((_, urgency) => served.push(`${urgency} ${clock.now()}`));
  const get = (typeUrl: string, name = REVIEWS_ROUTES, view: View = VIEW): EncodedResource | undefined =>
    snapshots.current().resource(view, typeUrl, name);
  /** The only cluster of the served route. */
  const routed = (): unknown => {
    const resource = get(ROUTE_TYPE);
    const action = resource && fromBinary(RouteConfigurationSchema, body(resource)).virtualHosts[0]?.routes[0]?.action;
    return action?.case === 'route' ? action.value.clusterSpecifier.value : action?.case;
  };
  return { clock, snapshots, served, get, routed, failures };
};

/** The message inside the Any: after the type URL and its two tags, for resources shorter than 16 kB. */
const body = ({ any, typeUrl }: EncodedResource): Uint8Array => {
  const length = 2 + typeUrl.length + 1;
  return any.subarray(length + ((any[length] ?? 0) > 0x7f ? 2 : 1));
};

const V = (subset: string): string => `outbound|9080|${subset}|reviews.default.svc.cluster.local`;

describe('snapshots', () => {
  it('the first changes are served at once', () => {
    const { get } = setUp(REVIEWS);
    expect(get(LISTENER_TYPE, 'reviews:9080')?.name).toBe('reviews:9080');
    expect(get(LISTENER_TYPE, 'nobody:9080')).toBeUndefined();
  });

  it('a resource that did not change is the same object, whatever else did', async () => {
    const { clock, snapshots, get } = setUp(REVIEWS, REVIEWS_SUBSETS, to('v1'));
    const before = [get(LISTENER_TYPE, 'reviews:9080'), get(ROUTE_TYPE), get(CLUSTER_TYPE)];
    snapshots.apply(upserts(endpoint(9999)));
    snapshots.apply(
      upserts(
        reviewsRule('    - route: [{ destination: { host: ratings } }]', { name: 'other' }).replace(
          '[reviews]',
          '[ratings]',
        ),
      ),
    );
    await clock.pass(100);
    const after = [get(LISTENER_TYPE, 'reviews:9080'), get(ROUTE_TYPE), get(CLUSTER_TYPE)];
    expect(after.every((resource, index) => resource === before[index])).toBe(true);
  });

  it('endpoints are served at once, configuration after its quiet time', async () => {
    const { clock, snapshots, served, get, routed } = setUp(REVIEWS, REVIEWS_SUBSETS, to('v1'));
    const before = get(ENDPOINT_TYPE)?.version;
    expect(routed()).toBe(V('v1'));
    snapshots.apply([...upserts(endpoint(9999)), ...upserts(to('v2'))]);
    expect(get(ENDPOINT_TYPE)?.version).not.toBe(before);
    expect(routed()).toBe(V('v1'));
    await clock.pass(20);
    expect(routed()).toBe(V('v2'));
    expect(served).toEqual(['endpoints 0', 'configuration 20']);
  });

  it('nobody is told of endpoints that nothing anybody asked for depends on', async () => {
    const { clock, snapshots, served, get } = setUp(REVIEWS);
    get(ROUTE_TYPE);
    const { revision } = snapshots.current();
    snapshots.apply(upserts(endpoint(9999)));
    await clock.pass(100);
    expect(served).toEqual([]);
    expect(snapshots.current().revision).not.toBe(revision);
  });

  it('a comment above a rule changes no version, only its line in the side table', async () => {
    const { clock, snapshots, served, get } = setUp(REVIEWS, REVIEWS_SUBSETS, to('v1'));
    const source = () => {
      const resource = get(ROUTE_SOURCES_TYPE);
      return resource && fromBinary(RouteSourcesSchema, body(resource)).routes[0];
    };
    const route = get(ROUTE_TYPE)?.version;
    const line = source()?.line ?? 0;
    expect(source()).toMatchObject({
      resource: 'VirtualService default/reviews',
      fieldPath: 'spec.http[0]',
      file: 'mesh-0.yaml',
    });
    snapshots.apply(upserts(`# one\n# two\n${to('v1')}`));
    await clock.pass(100);
    expect(source()?.line).toBe(line + 2);
    expect(get(ROUTE_TYPE)?.version).toBe(route);
    expect(served).toEqual(['configuration 20']);
  });

  it('revisions agree for equal content in any order, and differ otherwise', () => {
    const hash = (yaml: readonly string[]) =>
      setUp(...yaml)
        .snapshots.current()
        .revision.split('-')[2];
    expect(hash([REVIEWS, REVIEWS_SUBSETS])).toBe(hash([REVIEWS_SUBSETS, REVIEWS]));
    expect(hash([REVIEWS, REVIEWS_SUBSETS])).not.toBe(hash([REVIEWS]));
  });

  it('an object that breaks a translator breaks its own resources only, and is told', async () => {
    const { clock, snapshots, get, failures } = setUp(REVIEWS);
    const [rule] = objectsOf(
      reviewsPolicy('{ loadBalancer: { consistentHash: { httpHeaderName: x, minimumRingSize: 64 } } }'),
    );
    if (rule?.kind !== 'DestinationRule') throw new Error('not a DestinationRule');
    const consistentHash = { httpHeaderName: 'x', minimumRingSize: 1.5 };
    const spec = { ...rule.spec, trafficPolicy: { portLevelSettings: [], loadBalancer: { consistentHash } } };
    snapshots.apply([{ kind: 'upsert', object: { ...rule, spec } }]);
    await clock.pass(20);
    expect(get(CLUSTER_TYPE)).toBeUndefined();
    expect(get(LISTENER_TYPE, 'reviews:9080')).toBeDefined();
    expect(get(CLUSTER_TYPE, 'outbound|9080||ratings.default.svc.cluster.local')).toBeDefined();
    expect(failures).toEqual([expect.stringContaining(`${CLUSTER_TYPE} ${REVIEWS_ROUTES}: `)]);
  });

  it('close ends every timer', () => {
    const { clock, snapshots } = setUp(REVIEWS);
    snapshots.apply(upserts(to('v1')));
    snapshots.close();
    expect(clock.pending()).toEqual([]);
  });
});

describe('snapshots, a route whose next version dangles', () => {
  it('keeps its last version until the cluster is there', async () => {
    const { clock, snapshots, routed } = setUp(REVIEWS, REVIEWS_SUBSETS, to('v1'));
    expect(routed()).toBe(V('v1'));
    snapshots.apply(upserts(to('v4')));
    await clock.pass(500);
    expect(routed()).toBe(V('v1'));
    snapshots.apply(upserts(`${REVIEWS_SUBSETS}    - { name: v4, labels: { version: v4 } }`));
    await clock.pass(20);
    expect(routed()).toBe(V('v4'));
    expect(clock.pending()).toEqual([]);
  });

  it('for two seconds at most, however many such versions follow', async () => {
    const { clock, snapshots, routed, served } = setUp(REVIEWS, REVIEWS_SUBSETS, to('v1'));
    routed();
    snapshots.apply(upserts(to('v8')));
    await clock.pass(20);
    expect(routed()).toBe(V('v1'));
    await clock.pass(1_000);
    snapshots.apply(upserts(to('v9')));
    await clock.pass(20);
    expect(routed()).toBe(V('v1'));
    await clock.pass(1_000);
    expect(served.at(-1)).toBe('configuration 2020');
    expect(routed()).toBe(V('v9'));
  });

  it('is held too when its rule is the first that looks at a label of the client', async () => {
    const { clock, snapshots, get } = setUp(REVIEWS, REVIEWS_SUBSETS, to('v1'));
    const red = viewFrom('default', { labels: new Map([['team', 'red']]) });
    const before = get(ROUTE_TYPE, REVIEWS_ROUTES, red);
    const forRed = reviewsRule(`    - match: [{ sourceLabels: { team: red } }]
      route: [{ destination: { host: reviews, subset: v4 } }]`);
    snapshots.apply(upserts(forRed));
    await clock.pass(20);
    expect(get(ROUTE_TYPE, REVIEWS_ROUTES, red)).toBe(before);
    await clock.pass(2_000);
    expect(get(ROUTE_TYPE, REVIEWS_ROUTES, red)).not.toBe(before);
  });

  it('is not held when the last version does not work either', async () => {
    const { clock, snapshots, routed } = setUp(REVIEWS, REVIEWS_SUBSETS, to('v1'));
    routed();
    snapshots.apply([{ kind: 'delete', key: 'DestinationRule/default/reviews' }, ...upserts(to('v9'))]);
    await clock.pass(20);
    expect(routed()).toBe(V('v9'));
  });

  it('a deleted service goes at once', async () => {
    const { clock, snapshots, routed } = setUp(REVIEWS);
    routed();
    snapshots.apply([
      { kind: 'delete', key: 'Service/default/reviews' },
      ...['v1', 'v2', 'v3'].map((v) => ({ kind: 'delete', key: `WorkloadEntry/default/reviews-${v}` }) as const),
    ]);
    await clock.pass(20);
    expect(routed()).toBeUndefined();
  });
});

describe('snapshots, Views', () => {
  const labelled = (labels: Record<string, string>, region = ''): View =>
    viewFrom('default', { labels: new Map(Object.entries(labels)), locality: { region, zone: '', subZone: '' } });

  it('clients that no rule tells apart get the very same object', () => {
    const { get } = setUp(REVIEWS);
    const one = labelled({ 'pod-template-hash': '1' }, 'eu');
    const two = labelled({ 'pod-template-hash': '2' }, 'us');
    for (const type of [ROUTE_TYPE, CLUSTER_TYPE, ENDPOINT_TYPE]) {
      expect(get(type, REVIEWS_ROUTES, one)).toBe(get(type, REVIEWS_ROUTES, two));
    }
  });

  it('sourceLabels tell clients apart as soon as a rule reads them', async () => {
    const { clock, snapshots, get } = setUp(REVIEWS);
    const red = labelled({ team: 'red' });
    const blue = labelled({ team: 'blue' });
    expect(get(ROUTE_TYPE, REVIEWS_ROUTES, red)).toBe(get(ROUTE_TYPE, REVIEWS_ROUTES, blue));
    snapshots.apply(
      upserts(
        reviewsRule(`
    - match: [{ sourceLabels: { team: red } }]
      route: [{ destination: { host: ratings } }]
    - route: [{ destination: { host: reviews } }]`),
      ),
    );
    await clock.pass(20);
    expect(get(ROUTE_TYPE, REVIEWS_ROUTES, red)?.version).not.toBe(get(ROUTE_TYPE, REVIEWS_ROUTES, blue)?.version);
  });

  it('the locality counts only for clusters that spread by it', () => {
    const { get } = setUp(
      REVIEWS,
      reviewsPolicy('{ outlierDetection: {} }'),
      endpoint(3001).replace('address:', 'locality: eu, address:'),
    );
    const eu = labelled({}, 'eu');
    const us = labelled({}, 'us');
    expect(get(ENDPOINT_TYPE, REVIEWS_ROUTES, eu)).not.toBe(get(ENDPOINT_TYPE, REVIEWS_ROUTES, us));
    const ratings = 'outbound|9080||ratings.default.svc.cluster.local';
    expect(get(ENDPOINT_TYPE, ratings, eu)).toBe(get(ENDPOINT_TYPE, ratings, us));
    expect(get(ROUTE_TYPE, REVIEWS_ROUTES, eu)).toBe(get(ROUTE_TYPE, REVIEWS_ROUTES, us));
  });
});

describe('snapshots, problems', () => {
  it('say where and what, and go away when the reason does', async () => {
    const { clock, snapshots } = setUp(REVIEWS, to('v1'));
    expect(snapshots.problems()).toEqual([
      {
        severity: 'error',
        file: 'mesh-0.yaml',
        line: 9,
        object: 'VirtualService default/reviews',
        fieldPath: 'spec.http[0].route[0].destination',
        message:
          'subset "v1" is not defined: no DestinationRule for reviews.default.svc.cluster.local; calls answer 503',
      },
    ]);
    snapshots.apply(upserts(REVIEWS_SUBSETS));
    await clock.pass(20);
    expect(snapshots.problems()).toEqual([]);
  });

  it('a process that makes a service takes back what was said of its absence: that is a change of configuration', async () => {
    const { clock, snapshots, served } = setUp(to('v1'));
    const said = (): boolean => snapshots.problems().some(({ message }) => message.includes('no service has the host'));
    expect(said()).toBe(true);
    const process = { uid: '1', service: 'reviews', namespace: 'default', port: 9081, address: '127.0.0.1' };
    snapshots.apply([registrationEvent(process)]);
    await clock.pass(0);
    expect(served).toEqual(['configuration 0']);
    expect(said()).toBe(false);
  });
});
