import { ListenerSchema } from '../../../gen/listener.js';
import type { Listener } from '../../model/route.ts';
import { parse, typeNameOf } from '../any.ts';
import { FIELDS } from '../field-table.ts';
import { checkFields } from '../fields.ts';
import { type DecodeSteps, resourceType } from '../resource-type.ts';
import { createFindings, Scope } from '../scope.ts';
import { CONNECTION_MANAGER, decodeConnectionManager } from './connection-manager.ts';
import { decodeFilterChains } from './filter-chains.ts';

/**
 * LDS, as a client asks for it: an API listener around an HttpConnectionManager (gRFC A27). Beside it filter chains may say
 * where connections go that are not HTTP requests, as in the listener of a sidecar.
 */
export const listenerType = resourceType<Listener>(ListenerSchema.typeName, decodeSteps, {
  isKept: true,
  isWholeState: true,
});

function* decodeSteps(bytes: Uint8Array): DecodeSteps<Listener> {
  const findings = createFindings();
  const root = new Scope(findings);
  const message = parse(ListenerSchema, bytes, root);
  if (message === undefined) return { errors: findings.errors, name: '' };
  const { name } = message;
  checkFields(ListenerSchema, message, FIELDS, root);
  const at = root.at('api_listener').at('api_listener');
  const any = message.apiListener?.apiListener;
  if (any === undefined) {
    at.error('missing: a client takes API listeners only');
    return { errors: findings.errors, name };
  }
  if (typeNameOf(any) !== CONNECTION_MANAGER) at.error(`type "${typeNameOf(any)}", ${CONNECTION_MANAGER} allowed`);
  const connections = decodeFilterChains(message, root);
  const ok = findings.errors.length === 0 ? yield* decodeConnectionManager(name, any.value, at) : undefined;
  if (ok === undefined || findings.errors.length > 0) return { errors: findings.errors, name };
  return { ok: { ...ok, ...(connections && { connections }) }, name, warnings: findings.warnings };
}
