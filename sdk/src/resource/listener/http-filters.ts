import { StatefulSessionSchema } from '../../../gen/filters.js';
import { HTTPFaultSchema, type HttpFilter, RouterSchema } from '../../../gen/listener.js';
import type { FaultPolicy } from '../../model/action.ts';
import { chainOf } from '../../model/fault-chain.ts';
import { typeNameOf, unpack } from '../any.ts';
import { decodeFault } from '../route/fault.ts';
import type { Filters } from '../route/inherited.ts';
import { decodeSession } from '../route/stateful-session.ts';
import type { Scope } from '../scope.ts';
import { required } from '../values.ts';

/**
 * HttpConnectionManager.http_filters, by gRFC A39: unique names, the router last and only last, an unknown filter refuses
 * the listener unless it is optional (what it would have enforced must not silently go missing).
 */
export function decodeHttpFilters(filters: readonly HttpFilter[], at: Scope): Filters {
  const list = at.at('http_filters');
  if (filters.length === 0) list.error('empty, the router filter at least is required');
  const names = new Set<string>();
  const faults: FaultPolicy[] = [];
  let known: Filters = {};
  for (const [index, filter] of filters.entries()) {
    const here = list.at(index);
    required(filter.name, here.at('name'));
    if (names.has(filter.name)) here.at('name').error(`"${filter.name}" stands twice, each name once allowed`);
    names.add(filter.name);
    if (filter.disabled) continue;
    const isLast = index === filters.length - 1;
    const { fault, ...others } = decodeFilter(filter, isLast, here) ?? {};
    if (fault !== undefined) faults.push({ ...fault, filter: filter.name });
    known = { ...known, ...others };
  }
  const fault = chainOf(faults);
  return fault === undefined ? known : { ...known, fault };
}

function decodeFilter(filter: HttpFilter, isLast: boolean, at: Scope): Filters | undefined {
  const any = filter.configType.case === 'typedConfig' ? filter.configType.value : undefined;
  const type = any ? typeNameOf(any) : '';
  const isRouter = type === RouterSchema.typeName;
  if (isRouter !== isLast) {
    at.error(isRouter ? 'the router filter stands before the end' : `"${filter.name}" stands last, the router must`);
  }
  if (isRouter) return undefined;
  if (any !== undefined && type === HTTPFaultSchema.typeName) {
    const message = unpack(any, HTTPFaultSchema, at.at('typed_config'));
    return message && { fault: decodeFault(message, at.at('typed_config')) };
  }
  if (any !== undefined && type === StatefulSessionSchema.typeName) {
    const message = unpack(any, StatefulSessionSchema, at.at('typed_config'));
    return message && { statefulSession: decodeSession(message, at.at('typed_config')) };
  }
  const what = type === '' ? 'a filter without typed_config' : `filter ${type}`;
  if (filter.isOptional) at.warn(`ignored: ${what}, which this client does not know, is optional`);
  else
    at.error(
      `${what} is not known, ${HTTPFaultSchema.typeName}, ${StatefulSessionSchema.typeName}, ${RouterSchema.typeName} and optional ones allowed`,
    );
  return undefined;
}
