import type { Problem } from './types.ts';

/** `file:line: kind namespace/name: field path: what is wrong, what is allowed`. */
export const formatProblem = (problem: Problem): string => {
  const parts = [`${problem.file}:${problem.line}`];
  if (problem.object !== undefined) parts.push(problem.object);
  if (problem.fieldPath) parts.push(problem.fieldPath);
  parts.push(problem.message);
  return parts.join(': ');
};

/** A line for people: errors as `formatProblem` has them, anything milder says so behind its place. */
export const problemLine = (problem: Problem): string => {
  const place = `${problem.file}:${problem.line}`;
  const text = formatProblem(problem);
  return problem.severity === 'error' ? text : `${place}: ${problem.severity}${text.slice(place.length)}`;
};

/** `VirtualService default/reviews`; a cluster-scoped object has no namespace to name. */
export const objectTitle = (kind: string, namespace: string, name: string): string =>
  `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`;

/** File, then line, then message: the order people read them in, and one order whatever came first. */
export const byPosition = (a: Problem, b: Problem): number =>
  compare(a.file, b.file) ||
  a.line - b.line ||
  compare(a.message, b.message) ||
  compare(a.object, b.object) ||
  compare(a.fieldPath, b.fieldPath);

const compare = (a = '', b = ''): number => (a < b ? -1 : a > b ? 1 : 0);
