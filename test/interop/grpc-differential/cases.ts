import type { GrpcCase } from './case.ts';
import { BALANCING } from './cases/balancing.ts';
import { BREAKERS } from './cases/breakers.ts';
import { CLUSTERS } from './cases/clusters.ts';
import { FAULTS } from './cases/faults.ts';
import { HASHING } from './cases/hashing.ts';
import { LIFECYCLE } from './cases/lifecycle.ts';
import { MATCHING } from './cases/matching.ts';
import { OUTLIERS } from './cases/outliers.ts';
import { POLICIES } from './cases/policies.ts';
import { RETRIES } from './cases/retries.ts';
import { ROUTES } from './cases/routes.ts';
import { TIMEOUTS } from './cases/timeouts.ts';
import { TLS } from './cases/tls.ts';
import { VALIDATION } from './cases/validation.ts';
import { WEIGHTS } from './cases/weights.ts';
import { REASONS } from './reasons.ts';

const ALL: readonly GrpcCase[] = [
  ...MATCHING,
  ...ROUTES,
  ...WEIGHTS,
  ...RETRIES,
  ...TIMEOUTS,
  ...BALANCING,
  ...POLICIES,
  ...HASHING,
  ...OUTLIERS,
  ...BREAKERS,
  ...FAULTS,
  ...LIFECYCLE,
  ...VALIDATION,
  ...TLS,
  ...CLUSTERS,
];

/** The most telling: played on every run. */
const TELLING: ReadonlySet<string> = new Set([
  'match-regex-alternation',
  'match-header-present-false',
  'match-header-absent-invert',
  'match-query-parameters',
  'match-action-non-forwarding',
  'weights-80-20',
  'retry-words',
  'retry-space',
  'retry-twenty',
  'retry-committed',
  'timeout-max-stream-duration',
  'timeout-route-timeout',
  'balance-locality-weights-said',
  'balance-least-request',
  'hash-header',
  'outlier-failure-percentage',
  'limit-two',
  'fault-http-statuses',
  'life-route',
  'life-cluster-again',
  'life-wrapped',
  'check-filters-none',
  'check-regex',
  'tls-exact',
  'tls-old-names',
]);

export const isTelling = ({ name }: GrpcCase): boolean => TELLING.has(name);

export const CASES: readonly GrpcCase[] = ALL.map((one) => ({ ...one, ...REASONS[one.name] }));
