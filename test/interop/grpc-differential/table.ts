import type { Area, GrpcCase } from './case.ts';
import { CASES } from './cases.ts';
import type { ClientKind } from './clients.ts';
import { readRecorded } from './recorded.ts';

type Standing = 'agrees' | 'differs' | 'not yet';

const standingOf = ({ differs, notYet }: GrpcCase): Standing =>
  differs !== undefined ? 'differs' : notYet !== undefined ? 'not yet' : 'agrees';

export const DIFFERENTIAL_HEAD = ['case', 'what', 'grpc-go 1.85', 'grpcio 1.85', 'grpc-js-xds 1.14', 'Inmesh'] as const;

const PEERS: readonly ClientKind[] = ['go', 'core', 'node'];

/** Rows of the table in docs/reference/grpc-cases.md, by area. */
export function differentialRows(): ReadonlyMap<Area, readonly (readonly string[])[]> {
  const recorded = readRecorded();
  const rows = new Map<Area, string[][]>();
  for (const one of CASES) {
    const list = rows.get(one.area) ?? [];
    rows.set(one.area, list);
    const [go = '', core = '', node = ''] = PEERS.map((peer) => cellOf(recorded[one.name]?.[peer] ?? []));
    const others = [core, node].map((cell) => (cell === go ? 'the same' : cell));
    list.push([`\`${one.name}\``, one.rule, go, ...others, oursOf(one, go === core)]);
  }
  return rows;
}

function oursOf(one: GrpcCase, isAgreed: boolean): string {
  if (one.differs !== undefined) return `differs: ${one.differs}`;
  if (one.notYet !== undefined) return `not there yet: ${one.notYet}`;
  return isAgreed ? 'agrees' : 'as one of the two';
}

/** How many cases stand how. */
export function differentialCounts(): Readonly<Record<Standing, number>> {
  const counts = { agrees: 0, differs: 0, 'not yet': 0 };
  for (const one of CASES) counts[standingOf(one)]++;
  return counts;
}

const cellOf = (lines: readonly string[]): string => lines.map((line) => `\`${line}\``).join('<br>');
