import type { MirrorComparison } from '../../model/action.ts';
import type { MirrorDifference } from '../../model/events.ts';
import type { AnswerRecord } from './answer-record.ts';

export interface Compared {
  readonly differences: readonly MirrorDifference[];
  /** Where the JSON differs, as `$.a[0].b`; some of them. */
  readonly paths: readonly string[];
}

/** What of a mirror's answer is not as the caller's. Bodies that are no JSON are compared byte by byte. */
export function compareAnswers(wanted: MirrorComparison, ours: AnswerRecord, theirs: AnswerRecord): Compared {
  const differences: MirrorDifference[] = [];
  if (theirs.endMs === undefined) return { differences: ['no-answer'], paths: [] };
  if (wanted.status && ours.status !== theirs.status) differences.push('status');
  const paths = wanted.json ? bodyDifferences(ours.body, theirs.body) : [];
  if (paths.length > 0) differences.push('json');
  return { differences, paths };
}

function bodyDifferences(ours: Buffer | undefined, theirs: Buffer | undefined): readonly string[] {
  // One that is longer than what is compared differs only from one that is not.
  if (ours === undefined || theirs === undefined) return ours === theirs ? [] : ['$'];
  if (ours.equals(theirs)) return [];
  const [one, other] = [parsed(ours), parsed(theirs)];
  if (one === undefined || other === undefined) return ['$'];
  const paths: string[] = [];
  walk(one.value, other.value, '$', paths);
  return paths;
}

function parsed(bytes: Buffer): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(bytes.toString('utf8')) };
  } catch {
    return undefined;
  }
}

const MOST_PATHS = 10;

function walk(one: unknown, other: unknown, path: string, paths: string[]): void {
  if (paths.length >= MOST_PATHS || Object.is(one, other)) return;
  if (!isContainer(one) || !isContainer(other) || Array.isArray(one) !== Array.isArray(other)) {
    paths.push(path);
    return;
  }
  for (const key of new Set([...Object.keys(one), ...Object.keys(other)])) {
    const here = Array.isArray(one) ? `${path}[${key}]` : `${path}.${key}`;
    const [left, right] = [Object.hasOwn(one, key), Object.hasOwn(other, key)];
    if (left !== right) {
      if (paths.length < MOST_PATHS) paths.push(here);
    } else walk(Reflect.get(one, key), Reflect.get(other, key), here, paths);
  }
}

const isContainer = (value: unknown): value is object => typeof value === 'object' && value !== null;
