import { existsSync, readFileSync } from 'node:fs';
import type { Outcome } from './play.ts';

export const RECORDED_FILE = new URL('../../fixtures/envoy-policy/recorded.json', import.meta.url);

/** What live Envoy did in each case, written by record.ts. */
export type Recorded = Readonly<Record<string, Omit<Outcome, 'missed'>>>;

export const readRecorded = (): Recorded =>
  existsSync(RECORDED_FILE) ? (JSON.parse(readFileSync(RECORDED_FILE, 'utf8')) as Recorded) : {};
