import type { GrpcCase } from './case.ts';
import { BALANCING } from './cases/balancing.ts';
import { BREAKERS } from './cases/breakers.ts';
import { CLUSTERS } from './cases/clusters.ts';
import { FAULTS } from './cases/faults.ts';
import { HASHING } from './cases/hashing.ts';
import { LIFECYCLE } from './cases/lifecycle.ts';
import { MATCHING } from './cases/matching.ts';
import { OUTLIERS } from './cases/outliers.ts';
import { RETRIES } from './cases/retries.ts';
import { TIMEOUTS } from './cases/timeouts.ts';
import { TLS } from './cases/tls.ts';
import { VALIDATION } from './cases/validation.ts';
import { WEIGHTS } from './cases/weights.ts';

export const CASES: readonly GrpcCase[] = [
  ...MATCHING,
  ...WEIGHTS,
  ...RETRIES,
  ...TIMEOUTS,
  ...BALANCING,
  ...HASHING,
  ...OUTLIERS,
  ...BREAKERS,
  ...FAULTS,
  ...LIFECYCLE,
  ...VALIDATION,
  ...TLS,
  ...CLUSTERS,
];
