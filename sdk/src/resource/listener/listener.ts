import { ListenerSchema } from '../../../gen/listener.js';
import type { InboundListener } from '../../model/inbound.ts';
import type { Listener } from '../../model/route.ts';
import { parse, typeNameOf } from '../any.ts';
import { FIELDS } from '../field-table.ts';
import { checkFields } from '../fields.ts';
import { type DecodeSteps, resourceType } from '../resource-type.ts';
import { createFindings, Scope } from '../scope.ts';
import { holdsKeyIn } from '../tls/tls-end.ts';
import { CONNECTION_MANAGER, decodeConnectionManager } from './connection-manager.ts';
import { decodeFilterChains } from './filter-chains.ts';
import { decodeInboundListener } from './inbound-listener.ts';

/** What LDS may give: where a client's requests go, or how a server takes its connections. */
export type AnyListener = Listener | InboundListener;

export const isInbound = (listener: AnyListener): listener is InboundListener => 'chains' in listener;

/**
 * LDS, as a client asks for it: an API listener around an HttpConnectionManager (gRFC A27). Beside it filter chains may say
 * where connections go that are not HTTP requests, as in the listener of a sidecar. One with an address and no API listener
 * is a server's own (gRFC A36).
 */
export const listenerType = resourceType<AnyListener>(ListenerSchema.typeName, decodeSteps, {
  isKept: true,
  isWholeState: true,
});

function* decodeSteps(bytes: Uint8Array): DecodeSteps<AnyListener> {
  const findings = createFindings();
  const root = new Scope(findings);
  const message = parse(ListenerSchema, bytes, root);
  if (message === undefined) return { errors: findings.errors, name: '' };
  const { name } = message;
  if (message.apiListener === undefined && message.address !== undefined) {
    const inbound = yield* decodeInboundListener(message, root);
    if (findings.errors.length > 0) return { errors: findings.errors, name };
    const holdsKey = inbound.chains.some(({ tls }) => tls !== undefined && holdsKeyIn(tls));
    return { ok: inbound, name, warnings: findings.warnings, ...(holdsKey && { holdsKey }) };
  }
  checkFields(ListenerSchema, message, FIELDS, root);
  const at = root.at('api_listener').at('api_listener');
  const any = message.apiListener?.apiListener;
  if (any === undefined) {
    at.error('missing: a client takes API listeners only, a server those with an address');
    return { errors: findings.errors, name };
  }
  if (typeNameOf(any) !== CONNECTION_MANAGER) at.error(`type "${typeNameOf(any)}", ${CONNECTION_MANAGER} allowed`);
  const connections = decodeFilterChains(message, root);
  const ok = findings.errors.length === 0 ? yield* decodeConnectionManager(name, any.value, at) : undefined;
  if (ok === undefined || findings.errors.length > 0) return { errors: findings.errors, name };
  return { ok: { ...ok, ...(connections && { connections }) }, name, warnings: findings.warnings };
}
