import type { JsonObject } from '@bufbuild/protobuf';
import { type BalanceCase, type Group, numbered } from './cases.ts';
import { NOBODY } from './hosts.ts';

/** Percent of the traffic for the hosts of a group in one of these states; `nobody` is 503. */
type Expectation = readonly [group: number | 'nobody', letters: string, percent: number];

export interface ShareRow {
  readonly rule: string;
  readonly groups: readonly Group[];
  /** common_lb_config. */
  readonly common?: JsonObject;
  /** Other fields of Cluster. */
  readonly cluster?: JsonObject;
  readonly policy?: JsonObject;
  readonly expect: readonly Expectation[];
  /** Weights of hosts do not count. */
  readonly even?: true;
}

export const panicAt = (value: number): JsonObject => ({ healthy_panic_threshold: { value } });
const LOCALITY_WEIGHTED = { ...panicAt(0), locality_weighted_lb_config: {} };
const PANIC_OFF = panicAt(0);
const factor = (value: number): JsonObject => ({ overprovisioning_factor: value });
const at = (priority: number, hosts: string, weights?: readonly number[]): Group => ({
  hosts,
  priority,
  ...(weights && { weights }),
});
const zone = (name: string, weight: number, hosts: string, priority = 0): Group => ({
  zone: name,
  hosts,
  priority,
  ...(weight > 0 && { weight }),
});
const typed = (name: string, fields: JsonObject): JsonObject => ({
  '@type': `type.googleapis.com/envoy.extensions.load_balancing_policies.${name}`,
  ...fields,
});
export const policyList = (name: string, fields: JsonObject): JsonObject => ({
  load_balancing_policy: {
    policies: [{ typed_extension_config: { name: name.replace(/\..*/, ''), typed_config: typed(name, fields) } }],
  },
});

/** envoyproxy.io/docs, intro/arch_overview/upstream/load_balancing: priority levels, degraded, panic, locality weighted. */
export const SHARE_ROWS: readonly ShareRow[] = [
  {
    rule: 'half of the first priority is out: 1.4 × 50 %',
    groups: [at(0, 'HHUU'), at(1, 'HHHH')],
    expect: [
      [0, 'H', 70],
      [1, 'H', 30],
    ],
  },
  {
    rule: 'overprovisioning factor 1.0',
    groups: [at(0, 'HHUU'), at(1, 'HHHH')],
    policy: factor(100),
    expect: [
      [0, 'H', 50],
      [1, 'H', 50],
    ],
  },
  {
    rule: 'overprovisioning factor 2.0 makes up for half of the hosts',
    groups: [at(0, 'HHUU'), at(1, 'HHHH')],
    policy: factor(200),
    expect: [[0, 'H', 100]],
  },
  {
    rule: 'overprovisioning factor 1.2 over three priorities',
    groups: [at(0, 'HUUU'), at(1, 'HHUU'), at(2, 'HHHH')],
    policy: factor(120),
    expect: [
      [0, 'H', 30],
      [1, 'H', 60],
      [2, 'H', 10],
    ],
  },
  {
    rule: 'all priorities are short of hosts, together they suffice',
    groups: [at(0, 'HUUU'), at(1, 'HUUU'), at(2, 'HUUU')],
    common: PANIC_OFF,
    expect: [
      [0, 'H', 35],
      [1, 'H', 35],
      [2, 'H', 30],
    ],
  },
  {
    rule: 'all priorities are short of hosts, together too: scaled up',
    groups: [at(0, 'HUUUU'), at(1, 'HUUUU')],
    common: PANIC_OFF,
    expect: [
      [0, 'H', 50],
      [1, 'H', 50],
    ],
  },
  {
    rule: 'every priority panics: by number of hosts, whatever their health',
    groups: [at(0, 'HUUUU'), at(1, 'HUUUUDDTTG')],
    common: panicAt(50),
    expect: [
      [0, 'HU', 34],
      [1, 'HUDTG', 66],
    ],
  },
  {
    rule: 'enough hosts in the other priority: no panic though 20 % are healthy',
    groups: [at(0, 'HUUUU'), at(1, 'HHHHH')],
    common: panicAt(50),
    expect: [
      [0, 'H', 28],
      [1, 'H', 72],
    ],
  },
  {
    rule: 'one priority of two panics',
    groups: [at(0, 'HUUUUUUUUU'), at(1, 'HHHHHHUUUU')],
    common: panicAt(50),
    expect: [
      [0, 'HU', 15],
      [1, 'H', 85],
    ],
  },
  {
    rule: 'panic threshold 100 %: full availability never panics',
    groups: [at(0, 'HHHU')],
    common: panicAt(100),
    expect: [[0, 'H', 100]],
  },
  {
    rule: 'panic threshold 100 %: less than full availability always does',
    groups: [at(0, 'HHUU')],
    common: panicAt(100),
    expect: [[0, 'HU', 100]],
  },
  {
    rule: 'the panic threshold is a whole number of percent: 50.4 is 50',
    groups: [at(0, 'HHUU')],
    common: panicAt(50.4),
    expect: [[0, 'H', 100]],
  },
  {
    rule: 'the panic threshold is a whole number of percent: 50.9 is 50',
    groups: [at(0, 'HHUU')],
    common: panicAt(50.9),
    expect: [[0, 'H', 100]],
  },
  {
    rule: 'panic off and nobody healthy',
    groups: [at(0, 'UDT')],
    common: PANIC_OFF,
    expect: [['nobody', '', 100]],
  },
  {
    rule: 'panic on and nobody healthy: everybody',
    groups: [at(0, 'UDTU')],
    common: panicAt(1),
    expect: [[0, 'UDT', 100]],
  },
  {
    rule: 'fail_traffic_on_panic: nobody instead of everybody',
    groups: [at(0, 'HUUU')],
    common: { ...panicAt(50), zone_aware_lb_config: { fail_traffic_on_panic: true } },
    expect: [['nobody', '', 100]],
  },
  {
    rule: 'fail_traffic_on_panic: only the share of the priority that panics',
    groups: [at(0, 'HUUUUUUUUU'), at(1, 'HHHHHHUUUU')],
    common: { ...panicAt(50), zone_aware_lb_config: { fail_traffic_on_panic: true } },
    expect: [
      ['nobody', '', 15],
      [1, 'H', 85],
    ],
  },
  {
    rule: 'degraded hosts take what healthy ones cannot',
    groups: [at(0, 'HHGG')],
    expect: [
      [0, 'H', 70],
      [0, 'G', 30],
    ],
  },
  {
    rule: 'degraded hosts: 1.4 × 25 % stays with the healthy one',
    groups: [at(0, 'HGGG')],
    expect: [
      [0, 'H', 35],
      [0, 'G', 65],
    ],
  },
  {
    rule: 'healthy hosts of later priorities come before degraded ones',
    groups: [at(0, 'HUUG'), at(1, 'HUUG')],
    expect: [
      [0, 'H', 35],
      [1, 'H', 35],
      [0, 'G', 30],
    ],
  },
  {
    rule: 'only degraded hosts are left',
    groups: [at(0, 'GGUU')],
    common: PANIC_OFF,
    expect: [[0, 'G', 100]],
  },
  {
    rule: 'only degraded hosts are left, in a later priority',
    groups: [at(0, 'UUUU'), at(1, 'GGGG')],
    expect: [[1, 'G', 100]],
  },
  {
    rule: 'UNHEALTHY, DRAINING and TIMEOUT get nothing, UNKNOWN is healthy',
    groups: [at(0, 'HUDT-')],
    common: PANIC_OFF,
    expect: [[0, 'H-', 100]],
  },
  {
    rule: 'a draining host counts into no total: 1.4 × 2 of 4, not of 6',
    groups: [at(0, 'HHUUDD'), at(1, 'HH')],
    expect: [
      [0, 'H', 70],
      [1, 'H', 30],
    ],
  },
  {
    rule: 'a draining host counts into no total: two of three are no panic',
    groups: [at(0, 'HHUDDDD')],
    common: panicAt(60),
    expect: [[0, 'H', 100]],
  },
  {
    rule: 'a draining host counts into no total of its locality',
    groups: [zone('a', 1, 'HUDD'), zone('b', 1, 'HH')],
    common: LOCALITY_WEIGHTED,
    expect: [
      [0, 'H', 70 / 1.7],
      [1, 'H', 100 / 1.7],
    ],
  },
  { rule: 'a gap between priorities is nobody', groups: [at(1, 'HH'), at(3, 'HH')], expect: [[0, 'H', 100]] },
  {
    rule: 'a priority without hosts passes its load on',
    groups: [at(0, ''), at(1, 'HUUU'), at(2, ''), at(3, 'HH')],
    expect: [
      [1, 'H', 35],
      [3, 'H', 65],
    ],
  },
  {
    rule: 'weights count within a priority, not between them',
    groups: [at(0, 'HHUU', [1, 3, 9, 9]), at(1, 'HH', [5, 1])],
    expect: [
      [0, 'H', 70],
      [1, 'H', 30],
    ],
  },
  {
    rule: 'weighted_priority_health: the health of a priority is that of its weights',
    groups: [at(0, 'HU', [1, 3]), at(1, 'HH')],
    policy: { weighted_priority_health: true },
    expect: [
      [0, 'H', 35],
      [1, 'H', 65],
    ],
  },
  {
    rule: 'weighted_priority_health: panic goes by the number of hosts all the same',
    groups: [at(0, 'HHHU', [1, 1, 1, 97]), at(1, 'HHHU', [1, 1, 1, 97])],
    policy: { weighted_priority_health: true },
    common: panicAt(50),
    expect: [
      [0, 'H', 50],
      [1, 'H', 50],
    ],
  },
  {
    rule: 'weighted_priority_health: total panic goes by the number of hosts all the same',
    groups: [at(0, 'UU', [10, 10]), at(1, 'UUUU')],
    policy: { weighted_priority_health: true },
    common: panicAt(50),
    expect: [
      [0, 'U', 34],
      [1, 'U', 66],
    ],
  },
  {
    rule: 'locality weights 1 : 3',
    groups: [zone('a', 1, 'HHH'), zone('b', 3, 'HH')],
    common: LOCALITY_WEIGHTED,
    expect: [
      [0, 'H', 25],
      [1, 'H', 75],
    ],
  },
  {
    rule: 'half of a locality is out: 1.4 × 50 % of its weight',
    groups: [zone('a', 1, 'HHUU'), zone('b', 1, 'HHHH')],
    common: LOCALITY_WEIGHTED,
    expect: [
      [0, 'H', 70 / 1.7],
      [1, 'H', 100 / 1.7],
    ],
  },
  {
    rule: 'half of a locality is out, overprovisioning factor 1.0',
    groups: [zone('a', 1, 'HHUU'), zone('b', 1, 'HHHH')],
    common: LOCALITY_WEIGHTED,
    policy: factor(100),
    expect: [
      [0, 'H', 100 / 3],
      [1, 'H', 200 / 3],
    ],
  },
  {
    rule: 'a locality without a weight gets nothing',
    groups: [zone('a', 0, 'HHH'), zone('b', 2, 'HH'), zone('c', 2, 'H')],
    common: LOCALITY_WEIGHTED,
    expect: [
      [1, 'H', 50],
      [2, 'H', 50],
    ],
  },
  {
    rule: 'no locality has a weight: all hosts of the priority alike',
    groups: [zone('a', 0, 'HHH'), zone('b', 0, 'HH')],
    common: LOCALITY_WEIGHTED,
    expect: [
      [0, 'H', 60],
      [1, 'H', 40],
    ],
  },
  {
    rule: 'the only locality with a weight is out: those without take over',
    groups: [zone('a', 0, 'HH'), zone('b', 1, 'UU')],
    common: LOCALITY_WEIGHTED,
    expect: [[0, 'H', 100]],
  },
  {
    rule: 'localities share what their priority gets',
    groups: [zone('a', 1, 'HU'), zone('b', 3, 'HU'), zone('a', 1, 'HH', 1)],
    common: LOCALITY_WEIGHTED,
    expect: [
      [0, 'H', 17.5],
      [1, 'H', 52.5],
      [2, 'H', 30],
    ],
  },
  {
    rule: 'in panic localities do not count',
    groups: [zone('a', 9, 'UUU'), zone('b', 1, 'U')],
    common: { ...LOCALITY_WEIGHTED, ...panicAt(50) },
    expect: [
      [0, 'U', 75],
      [1, 'U', 25],
    ],
  },
  {
    rule: 'degraded hosts by locality',
    groups: [zone('a', 1, 'HG'), zone('b', 3, 'HG')],
    common: LOCALITY_WEIGHTED,
    expect: [
      [0, 'H', 17.5],
      [1, 'H', 52.5],
      [0, 'G', 7.5],
      [1, 'G', 22.5],
    ],
  },
  {
    rule: 'locality weights count only where the cluster says so',
    groups: [zone('a', 1, 'HHH'), zone('b', 99, 'H')],
    expect: [
      [0, 'H', 75],
      [1, 'H', 25],
    ],
  },
  {
    rule: 'a locality named twice in a priority is one: the last weight it is given counts',
    groups: [zone('a', 1, 'H'), zone('b', 1, 'HH'), zone('a', 3, 'H')],
    common: LOCALITY_WEIGHTED,
    expect: [
      [0, 'H', 37.5],
      [1, 'H', 25],
      [2, 'H', 37.5],
    ],
  },
  {
    rule: 'random: every host alike, weights do not count',
    groups: [at(0, 'HHHUHHHH', [1, 9, 1, 9, 9, 1, 1, 1])],
    cluster: { lb_policy: 'RANDOM' },
    even: true,
    expect: [[0, 'H', 100]],
  },
  {
    // Of 9 hosts: Envoy draws once for priority and host, so with 10 or 20 it would not be every host alike.
    rule: 'random within priorities',
    groups: [at(0, 'HHHU'), at(1, 'HHHHHHHHH')],
    cluster: { lb_policy: 'RANDOM' },
    policy: factor(100),
    expect: [
      [0, 'H', 75],
      [1, 'H', 25],
    ],
  },
  {
    rule: 'random within localities by weight',
    groups: [zone('a', 1, 'HHH'), zone('b', 3, 'HHHHHHH')],
    cluster: { lb_policy: 'RANDOM' },
    common: LOCALITY_WEIGHTED,
    expect: [
      [0, 'H', 25],
      [1, 'H', 75],
    ],
  },
  {
    rule: 'least request without load: every host alike',
    groups: [at(0, 'HHUHH')],
    cluster: { lb_policy: 'LEAST_REQUEST' },
    expect: [[0, 'H', 100]],
  },
  {
    rule: 'least request, priorities and localities',
    groups: [zone('a', 1, 'HU'), zone('b', 3, 'HU'), zone('a', 1, 'HHHH', 1)],
    cluster: { lb_policy: 'LEAST_REQUEST' },
    common: LOCALITY_WEIGHTED,
    expect: [
      [0, 'H', 17.5],
      [1, 'H', 52.5],
      [2, 'H', 30],
    ],
  },
  {
    rule: 'round robin as a typed policy with localities',
    groups: [zone('a', 1, 'HHH'), zone('b', 3, 'HH')],
    cluster: policyList('round_robin.v3.RoundRobin', { locality_lb_config: { locality_weighted_lb_config: {} } }),
    expect: [
      [0, 'H', 25],
      [1, 'H', 75],
    ],
  },
  {
    rule: 'fail_traffic_on_panic as a typed policy',
    groups: [at(0, 'HUUU')],
    common: panicAt(50),
    cluster: policyList('random.v3.Random', {
      locality_lb_config: { zone_aware_lb_config: { fail_traffic_on_panic: true } },
    }),
    expect: [['nobody', '', 100]],
  },
];

export const caseOf = ({ groups, common, cluster = {}, policy }: ShareRow, index: number): BalanceCase => ({
  name: `share-${index}`,
  groups,
  cluster: { ...cluster, ...(common && { common_lb_config: common }) },
  ...(policy && { policy }),
});

/** Every host's part of the whole: a group's percentage goes by weight. */
export function sharesOf({ groups, expect, even }: ShareRow): ReadonlyMap<number, number> {
  const ids = numbered(groups);
  const shares = new Map<number, number>();
  for (const [index, letters, percent] of expect) {
    const group = index === 'nobody' ? undefined : groups[index];
    if (group === undefined || index === 'nobody') {
      shares.set(NOBODY, percent / 100);
      continue;
    }
    const weightOf = (place: number): number => (even ? 1 : (group.weights?.[place] ?? 1));
    const places = Array.from(group.hosts, (_, place) => place).filter((place) =>
      letters.includes(group.hosts[place] ?? ''),
    );
    const sum = places.reduce((total, place) => total + weightOf(place), 0);
    for (const place of places) shares.set(ids[index]?.[place] ?? 0, (percent / 100) * (weightOf(place) / sum));
  }
  return shares;
}
