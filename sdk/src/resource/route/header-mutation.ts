import { HeaderValueOption_HeaderAppendAction as Append, type HeaderValueOption } from '../../../gen/core.js';
import type { AppendAction, HeaderMutation, HeaderSet } from '../../model/headers.ts';
import { decodeList, NONE } from '../lists.ts';
import type { Scope } from '../scope.ts';

export const NO_MUTATION: HeaderMutation = { set: NONE, remove: NONE };

interface Side {
  readonly add: readonly HeaderValueOption[];
  readonly remove: readonly string[];
  readonly addField: string;
  readonly removeField: string;
}

/** The four header fields that RouteConfiguration, VirtualHost, Route and ClusterWeight share. */
interface WithHeaders {
  readonly requestHeadersToAdd: readonly HeaderValueOption[];
  readonly requestHeadersToRemove: readonly string[];
  readonly responseHeadersToAdd: readonly HeaderValueOption[];
  readonly responseHeadersToRemove: readonly string[];
}

export const decodeRequestHeaders = (message: WithHeaders, at: Scope): HeaderMutation =>
  decodeMutation(
    {
      add: message.requestHeadersToAdd,
      remove: message.requestHeadersToRemove,
      addField: 'request_headers_to_add',
      removeField: 'request_headers_to_remove',
    },
    at,
  );

export const decodeResponseHeaders = (message: WithHeaders, at: Scope): HeaderMutation =>
  decodeMutation(
    {
      add: message.responseHeadersToAdd,
      remove: message.responseHeadersToRemove,
      addField: 'response_headers_to_add',
      removeField: 'response_headers_to_remove',
    },
    at,
  );

/** Additions and removals that stand in fields of any name. */
export function decodeMutation({ add, remove, addField, removeField }: Side, at: Scope): HeaderMutation {
  if (add.length === 0 && remove.length === 0) return NO_MUTATION;
  return {
    set: decodeList(add, at.at(addField), decodeSet),
    remove: decodeList(remove, at.at(removeField), headerName),
  };
}

const ACTIONS: ReadonlyMap<Append, AppendAction> = new Map([
  [Append.APPEND_IF_EXISTS_OR_ADD, 'append-or-add'],
  [Append.ADD_IF_ABSENT, 'add-if-absent'],
  [Append.OVERWRITE_IF_EXISTS_OR_ADD, 'overwrite-or-add'],
  [Append.OVERWRITE_IF_EXISTS, 'overwrite-if-present'],
]);

function decodeSet(option: HeaderValueOption, at: Scope): HeaderSet {
  const header = at.at('header');
  const value = option.header?.value ?? '';
  // Envoy HeaderValue.value: HTTP_HEADER_VALUE, that is no NUL, CR or LF.
  if (/[\0\r\n]/.test(value)) header.at('value').error('holds NUL, CR or LF, which no header may');
  return {
    name: headerName(option.header?.key ?? '', header.at('key')),
    value,
    action: appendAction(option, at),
    keepEmpty: option.keepEmptyValue,
  };
}

function appendAction({ append, appendAction }: HeaderValueOption, at: Scope): AppendAction {
  if (append !== undefined) {
    if (appendAction !== Append.APPEND_IF_EXISTS_OR_ADD) at.error('both append and append_action are set, one allowed');
    return append ? 'append-or-add' : 'overwrite-or-add';
  }
  const action = ACTIONS.get(appendAction);
  if (action === undefined) at.at('append_action').error(`${appendAction}, 0 to 3 allowed`);
  return action ?? 'append-or-add';
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Envoy: pseudo-headers and host may not be modified (host has its own rewrite). */
function headerName(name: string, at: Scope): string {
  const lower = name.toLowerCase();
  if (lower === 'host' || lower.startsWith(':')) at.error(`"${name}", any header but host and those with ":" allowed`);
  else if (!TOKEN.test(name)) at.error(`"${name}" is no header name`);
  return lower;
}
