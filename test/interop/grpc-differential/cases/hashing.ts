import type { JsonObject } from '@bufbuild/protobuf';
import type { Ask, CaseCluster, CaseHost, GrpcCase } from '../case.ts';
import { HANG_MS, policies } from './pieces.ts';

/** What is hashed is the address: fixed ones, so that who has which key can be written down. */
const NAMES = ['a', 'b', 'c', 'd'];
const hostsAt = (block: number): readonly CaseHost[] =>
  NAMES.map((name, at) => ({ name, at: `127.77.${block}.${at + 1}:20977` }));

const by = (name: string, fields: JsonObject = {}): JsonObject => ({ header: { header_name: name, ...fields } });
const ring = (
  hash_policy: readonly JsonObject[],
  cluster: CaseCluster = {},
): Pick<GrpcCase, 'clusters' | 'routes'> => ({
  clusters: {
    ring: { hosts: NAMES, ...cluster, fields: { lb_policy: 'RING_HASH', ...cluster.fields } },
  },
  routes: [{ match: { prefix: '' }, route: { cluster: 'ring', hash_policy: [...hash_policy] } }],
});

const keys = (name: string, ...values: readonly string[]): readonly Ask[] =>
  values.map((value) => ({ metadata: [[name, value]] as const }));
const SIX = ['jason', 'kim', 'lee', 'max', 'nora', 'olga'];

const hash = (name: string, given: Omit<GrpcCase, 'name' | 'area'>): GrpcCase => ({
  name: `hash-${name}`,
  area: 'hashing',
  ...given,
});

const typedRing = (fields: JsonObject): CaseCluster => ({ fields: policies(['ring_hash.v3.RingHash', fields]) });
const config = (fields: JsonObject): CaseCluster => ({ fields: { ring_hash_lb_config: fields } });
const REFUSED: readonly Ask[] = [{ timeoutMs: HANG_MS }];

const ALL: readonly GrpcCase[] = [
  hash('header', {
    rule: 'RING_HASH by a header: the same host for the same value, and which',
    ...ring([by('x-user')]),
    steps: keys('x-user', ...SIX, ...SIX),
  }),
  hash('header-absent', {
    rule: 'without anything to hash any host is taken',
    ...ring([by('x-user')]),
    steps: [{ times: 40, tell: ['distinct'] }],
  }),
  hash('header-regex', {
    rule: '`regex_rewrite` of the hashed header',
    ...ring([by('x-user', { regex_rewrite: { pattern: { regex: '(\\w+)-(\\d+)' }, substitution: '\\1' } })]),
    steps: keys('x-user', 'jason-1', 'jason-2', 'kim-1', 'kim-22', 'jason', 'kim'),
  }),
  hash('header-binary', {
    rule: 'a `-bin` header is not hashed',
    ...ring([by('x-user-bin')]),
    steps: [{ metadata: [['x-user-bin', 'jason']], times: 40, tell: ['distinct'] }],
  }),
  hash('header-several', {
    rule: 'several values of the hashed header',
    ...ring([by('x-user')]),
    steps: [
      {
        metadata: [
          ['x-user', 'jason'],
          ['x-user', 'kim'],
        ],
      },
      {
        metadata: [
          ['x-user', 'kim'],
          ['x-user', 'jason'],
        ],
      },
      { metadata: [['x-user', 'jason,kim']] },
      { metadata: [['x-user', 'kim,jason']] },
    ],
    ignoresNacks: true,
  }),
  hash('two', {
    rule: 'two hash policies are combined',
    ...ring([by('x-a'), by('x-b')]),
    steps: SIX.map((value) => ({
      metadata: [
        ['x-a', value],
        ['x-b', 'second'],
      ] as const,
    })),
  }),
  hash('two-one-absent', {
    rule: 'of two hash policies one has nothing to hash',
    ...ring([by('x-a'), by('x-b')]),
    steps: [...keys('x-b', ...SIX), ...keys('x-a', ...SIX)],
  }),
  hash('terminal', {
    rule: '`terminal` ends the list where it has a hash',
    ...ring([{ ...by('x-a'), terminal: true }, by('x-b')]),
    steps: SIX.flatMap((value) => [
      {
        metadata: [
          ['x-a', 'first'],
          ['x-b', value],
        ] as const,
      },
      ...keys('x-b', value),
    ]),
  }),
  hash('cookie', {
    rule: 'a cookie is not hashed',
    ...ring([{ cookie: { name: 'user' } }]),
    steps: [{ metadata: [['cookie', 'user=jason']], times: 40, tell: ['distinct'] }],
    differs: 'Cookies are hashed for gRPC calls too, as in Envoy: one rule for all that the mesh carries.',
  }),
  hash('cookie-then-header', {
    rule: 'a policy that is not supported is skipped, the next holds',
    ...ring([{ query_parameter: { name: 'q' } }, by('x-user')]),
    steps: keys('x-user', ...SIX),
  }),
  hash('source-ip', {
    rule: '`source_ip` is not hashed',
    ...ring([{ connection_properties: { source_ip: true } }]),
    steps: [{ times: 40, tell: ['distinct'] }],
    differs: 'The source address is hashed, as in Envoy: it is that of this process.',
  }),
  hash('channel-id', {
    rule: '`filter_state` io.grpc.channel_id: one host for a channel',
    ...ring([{ filter_state: { key: 'io.grpc.channel_id' } }]),
    steps: [{ times: 20, tell: ['distinct'] }],
  }),
  hash('typed', {
    rule: 'a typed RingHash with `minimum_ring_size`',
    ...ring([by('x-user')], typedRing({ hash_function: 'XX_HASH', minimum_ring_size: 1024, maximum_ring_size: 2048 })),
    steps: keys('x-user', ...SIX),
  }),
  hash('typed-plain', {
    rule: 'a typed RingHash that says nothing, not even its hash function',
    ...ring([by('x-user')], typedRing({})),
    steps: keys('x-user', ...SIX),
  }),
  hash('sizes', {
    rule: 'a small ring: `minimum_ring_size` 4, `maximum_ring_size` 8',
    ...ring([by('x-user')], config({ minimum_ring_size: 4, maximum_ring_size: 8 })),
    steps: keys('x-user', ...SIX),
  }),
  hash('size-cap', {
    rule: 'a ring of more than 4096 entries is cut to that',
    ...ring([by('x-user')], config({ minimum_ring_size: 65_536, maximum_ring_size: 65_536 })),
    steps: keys('x-user', ...SIX),
  }),
  hash('weights', {
    rule: 'weights of endpoints and localities count for the ring',
    ...ring([by('x-user')], {
      localities: [
        { hosts: [{ host: 'a', weight: 5 }, 'b'], weight: 3 },
        { hosts: ['c', { host: 'd', weight: 2 }], weight: 1 },
      ],
    }),
    steps: keys('x-user', ...SIX, 'paul', 'quinn', 'ruth', 'sam'),
  }),
  hash('weights-endpoints', {
    rule: 'weights of endpoints count for the ring',
    ...ring([by('x-user')], { hosts: [{ host: 'a', weight: 5 }, 'b', 'c', { host: 'd', weight: 2 }] }),
    steps: keys('x-user', ...SIX, 'paul', 'quinn', 'ruth', 'sam'),
  }),
  hash('hash-key', {
    rule: 'the `hash_key` of an endpoint stands for its address',
    ...ring([by('x-user')], {
      hosts: NAMES.map((name) => ({
        host: name,
        metadata: { filter_metadata: { 'envoy.lb': { hash_key: `key-${name}` } } },
      })),
    }),
    steps: keys('x-user', ...SIX),
  }),
  hash('murmur', {
    rule: '`MURMUR_HASH_2` is refused',
    ...ring([by('x-user')], config({ hash_function: 'MURMUR_HASH_2' })),
    steps: REFUSED,
    differs: 'MURMUR_HASH_2 is hashed with, as in Envoy.',
  }),
  hash('sizes-order', {
    rule: '`minimum_ring_size` above `maximum_ring_size` is refused',
    ...ring([by('x-user')], config({ minimum_ring_size: 100, maximum_ring_size: 10 })),
    steps: [{ timeoutMs: HANG_MS, tell: ['distinct'] }],
  }),
  hash('sizes-over', {
    rule: 'a ring size above 8388608 is refused',
    ...ring([by('x-user')], config({ maximum_ring_size: 8_388_609 })),
    steps: REFUSED,
  }),
];

/** Each case has addresses of its own: they are played at the same time. */
export const HASHING: readonly GrpcCase[] = ALL.map((one, at) => ({ ...one, hosts: hostsAt(at) }));
