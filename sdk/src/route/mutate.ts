import { headerValue, isSingle, joinValues } from '../match/headers.ts';
import type { HeaderList, HeaderMutation } from '../model/headers.ts';
import { type FormatContext, formatValue } from './format.ts';

/** What a mutation may look at beside the headers it changes. */
export type MutationContext = Omit<FormatContext, 'headers'>;

/**
 * Applies each level in turn (Envoy HeaderParser::evaluateHeaders). Within a level: removals; then every value is made
 * from the headers as they are now; then overwrites; then additions. `headers` is left alone; the same list comes back
 * when there is nothing to do.
 */
export function applyMutations<H extends HeaderList>(
  mutations: readonly HeaderMutation[],
  headers: H,
  context: MutationContext,
): H | string[] {
  let current: H | string[] = headers;
  for (const mutation of mutations) current = applyLevel(mutation, current, context);
  return current;
}

function applyLevel<H extends HeaderList>(
  { remove, set }: HeaderMutation,
  headers: H,
  context: MutationContext,
): H | string[] {
  let result: H | string[] = remove.length === 0 ? headers : withoutHeaders(headers, remove);
  const formatContext =
    context.responseHeaders === undefined ? { ...context, headers: result } : { ...context, responseHeaders: result };
  const overwrites: string[] = [];
  const additions: string[] = [];
  for (const { name, value, action, keepEmpty } of set) {
    const text = formatValue(value, formatContext);
    if (text === '' && !keepEmpty) continue;
    const isAbsent =
      action !== 'append-or-add' && action !== 'overwrite-or-add' && headerValue(result, name) === undefined;
    if (action === 'append-or-add' || (action === 'add-if-absent' && isAbsent)) additions.push(name, text);
    else if (action === 'overwrite-or-add' || (action === 'overwrite-if-present' && !isAbsent))
      overwrites.push(name, text);
  }
  for (let i = 0; i + 1 < overwrites.length; i += 2) {
    const name = overwrites[i] ?? '';
    result = [...withoutHeaders(result, [name]), name, overwrites[i + 1] ?? ''];
  }
  for (let i = 0; i + 1 < additions.length; i += 2) result = added(result, additions[i] ?? '', additions[i + 1] ?? '');
  return result;
}

/** Headers that are kept once grow by a comma. */
function added(headers: HeaderList, name: string, value: string): string[] {
  const present = isSingle(name) ? headerValue(headers, name) : undefined;
  if (present === undefined) return [...headers, name, value];
  return [...withoutHeaders(headers, [name]), name, joinValues(present, value)];
}

function withoutHeaders(headers: readonly string[], names: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    if (!names.includes(name)) kept.push(name, headers[i + 1] ?? '');
  }
  return kept;
}
