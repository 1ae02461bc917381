import type { EjectionReason } from '../../model/events.ts';
import { createCounts, type HostCounts } from './counts.ts';
import { createEjectionState, type EjectionState } from './ejection.ts';

/** What spoke against a host at the moment it was ejected. */
export interface Evidence {
  readonly consecutive5xx: number;
  readonly consecutiveGatewayFailures: number;
  readonly consecutiveLocalOriginFailures: number;
  /** Attempts since the host came, and those that failed. */
  readonly requests: number;
  readonly failures: number;
  /** Of the interval that had ended, where rates were compared. */
  readonly successPercent?: number;
}

/** One ejection as it is shown. Times are wall-clock times, ms since the epoch. */
export interface Ejection {
  readonly cluster: string;
  /** `address:port` */
  readonly host: string;
  /** False: it has come back since. */
  readonly isEjected: boolean;
  readonly reason: EjectionReason;
  readonly sinceMs: number;
  /** It comes back at the first check from then on; when it came back, where it has. */
  readonly untilMs: number;
  /** Ejections of this host so far. */
  readonly count: number;
  readonly counters: Evidence;
}

/** The last ejection of a host. */
export interface LastEjection {
  readonly reason: EjectionReason;
  readonly sinceWallMs: number;
  untilWallMs: number;
  readonly evidence: Evidence;
}

/** All that outlier detection knows of a host; there is none as long as nothing has happened to it. */
export interface OutlierRecord {
  readonly counts: HostCounts;
  readonly ejection: EjectionState;
  last: LastEjection | undefined;
}

export const createRecord = (): OutlierRecord => ({
  counts: createCounts(),
  ejection: createEjectionState(),
  last: undefined,
});
