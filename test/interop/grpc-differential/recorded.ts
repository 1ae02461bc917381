import { existsSync, readFileSync } from 'node:fs';
import type { ClientKind } from './clients.ts';

export const RECORDED_FILE = new URL('../../fixtures/grpc-differential/recorded.json', import.meta.url);

/** What grpc-go, grpcio and grpc-js-xds did in each case, written by record.ts. */
export type Recorded = Readonly<Record<string, Partial<Readonly<Record<ClientKind, readonly string[]>>>>>;

export const readRecorded = (): Recorded =>
  existsSync(RECORDED_FILE) ? (JSON.parse(readFileSync(RECORDED_FILE, 'utf8')) as Recorded) : {};
