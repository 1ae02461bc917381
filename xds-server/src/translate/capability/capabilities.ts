import { cluster } from './cluster.ts';
import { core } from './core.ts';
import { endpoint } from './endpoint.ts';
import { listener } from './listener.ts';
import { type Capability, cellsOf, type MessageTable } from './message-table.ts';
import { route } from './route.ts';
import { tls } from './tls.ts';

/** What other clients than the SDK make of each message that the SDK reads of outbound configuration. */
export const MESSAGES: MessageTable = { ...core, ...listener, ...route, ...cluster, ...endpoint, ...tls };

const messages = new Map(Object.entries(MESSAGES));

/** By full name of the field; undefined: the SDK does not read its message either. */
export const capabilityOf = (field: string): Capability | undefined => {
  const at = field.lastIndexOf('.');
  const message = messages.get(field.slice(0, at));
  return message && cellsOf(message, field.slice(at + 1));
};
