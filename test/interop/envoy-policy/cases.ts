import type { PolicyCase } from './case.ts';
import { AFFINITY } from './cases/affinity.ts';
import { BREAKERS } from './cases/breakers.ts';
import { CONNECTIONS } from './cases/connections.ts';
import { FAULTS } from './cases/faults.ts';
import { GRPC } from './cases/grpc.ts';
import { HEALTH } from './cases/health.ts';
import { MIRRORS } from './cases/mirrors.ts';
import { OUTLIERS } from './cases/outliers.ts';
import { RETRIES } from './cases/retries.ts';
import { RETRY_LIMITS } from './cases/retry-limits.ts';
import { TIMEOUTS } from './cases/timeouts.ts';

export const CASES: readonly PolicyCase[] = [
  ...RETRIES,
  ...RETRY_LIMITS,
  ...TIMEOUTS,
  ...BREAKERS,
  ...OUTLIERS,
  ...HEALTH,
  ...FAULTS,
  ...MIRRORS,
  ...AFFINITY,
  ...CONNECTIONS,
  ...GRPC,
];
