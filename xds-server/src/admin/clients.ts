import type { TypeStatus } from '../discovery/acknowledgements.ts';
import type { Session } from '../discovery/session.ts';
import type { Limit } from '../translate/limit/limits.ts';
import { shortType } from './metrics.ts';

/** What a client said to the last response of one type. */
export interface ClientType {
  /** STALE: sent and not answered yet. */
  readonly status: 'NOT_SENT' | 'SYNCED' | 'STALE' | 'NACK';
  /** The client's own words on why it rejected the last response. */
  readonly reason?: string;
  readonly version?: string;
  readonly names: readonly string[];
  /** What of it this client does not do as the rule behind it says, each once: rule, field and why. */
  readonly limits?: readonly string[];
}

/** What of a resource a client does not do as written. */
export type LimitsOf = (session: Session, typeUrl: string, name: string) => readonly Limit[];

/** Of one client and type that are looked at: it may ask for anything, and a page must not stop everybody's streams. */
const MOST_NAMES = 500;

/** One line each, and each once. */
export function limitLines(session: Session, limitsOf: LimitsOf, only?: string): readonly string[] {
  const lines = new Set<string>();
  for (const [typeUrl, names] of session.names) {
    if (only !== undefined && typeUrl !== only) continue;
    if (names.length > MOST_NAMES) lines.add(`${shortType(typeUrl)}: the first ${MOST_NAMES} of ${names.length} names`);
    for (const name of names.slice(0, MOST_NAMES))
      for (const { resource, fieldPath, message } of limitsOf(session, typeUrl, name))
        lines.add(`${resource === '' ? name : `${resource}: ${fieldPath}`}: ${message}`);
  }
  return [...lines];
}

/** One ADS stream. */
export interface ClientView {
  readonly id: string;
  readonly workload: string;
  readonly namespace: string;
  readonly userAgent: string;
  readonly method: 'delta' | 'sotw';
  /** It waits for its first answer, because many came at once or it has seen a newer revision than what is served here. */
  readonly isWaiting: boolean;
  /** By short name: lds, rds, cds, eds. */
  readonly types: Readonly<Record<string, ClientType>>;
}

function typeOf(status: TypeStatus, names: readonly string[]): ClientType {
  switch (status.kind) {
    case 'NOT_SENT':
      return { status: 'NOT_SENT', names };
    case 'NACK':
      return { status: 'NACK', reason: status.reason, version: status.version, names };
    case 'STALE':
      return { status: 'STALE', version: status.sent, names };
    case 'SYNCED':
      return { status: 'SYNCED', version: status.version, names };
  }
}

/** A stream that has not said who it is yet is nobody. */
export function clientView(session: Session, isWaiting: boolean, limitsOf: LimitsOf): ClientView | undefined {
  const { identity, method, statuses, names } = session;
  if (identity === undefined) return undefined;
  const types = [...statuses].map(([type, status]) => {
    const limits = limitLines(session, limitsOf, type);
    const shown = { ...typeOf(status, names.get(type) ?? []), ...(limits.length > 0 && { limits }) };
    return [shortType(type), shown] as const;
  });
  const { id, workload, namespace, userAgent } = identity;
  return { id, workload, namespace, userAgent, method, isWaiting, types: Object.fromEntries(types) };
}
