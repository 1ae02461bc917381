import { REGISTERED_PORT, REGISTERED_SERVICE, REGISTERED_WORKLOAD } from '../registry/registration.ts';
import type { AnyObject, ChangeEvent, ObjectKey } from '../schema/types.ts';
import { printable } from './printable.ts';

/** Turns change events into lines for people. */
export interface ChangeLines {
  /** One line per event that changes more than a position. */
  take(events: readonly ChangeEvent[]): readonly string[];
  /** Configured objects that exist; registered processes are not counted. */
  objects(): number;
}

export const createChangeLines = (): ChangeLines => {
  const known = new Map<ObjectKey, AnyObject>();
  const lineOf = (event: ChangeEvent): string | undefined => {
    const key = event.kind === 'upsert' ? event.object.key : event.key;
    const before = known.get(key);
    if (event.kind === 'delete') {
      known.delete(key);
      return before && `${titleOf(before)} ${isRegistered(before) ? 'left' : `deleted (${before.origin.file})`}`;
    }
    const { object } = event;
    known.set(key, object);
    if (before?.contentHash === object.contentHash) return undefined;
    if (isRegistered(object)) return `${titleOf(object)} ${before === undefined ? 'joined' : 'changed'}`;
    return `${titleOf(object)} ${before === undefined ? 'added' : 'changed'} (${placeOf(object)})`;
  };
  return {
    take: (events) => events.map(lineOf).flatMap((line) => (line === undefined ? [] : printable(line))),
    objects: () => [...known.values()].filter((object) => !isRegistered(object)).length,
  };
};

const isRegistered = ({ annotations }: AnyObject): boolean => annotations.has(REGISTERED_SERVICE);

const placeOf = ({ origin }: AnyObject): string => `${origin.file}:${origin.line('metadata')}`;

/** `VirtualService default/reviews`, or of a process what it is and where. */
function titleOf(object: AnyObject): string {
  const { kind, namespace, name, annotations } = object;
  if (object.kind !== 'WorkloadEntry' || !isRegistered(object)) {
    return `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`;
  }
  const [service, port, workload] = [REGISTERED_SERVICE, REGISTERED_PORT, REGISTERED_WORKLOAD].map((key) =>
    annotations.get(key),
  );
  const version = object.spec.labels.get('version');
  return `${workload}: ${authority(object.spec.address, port)} of ${service}${version === undefined ? '' : ` ${version}`}`;
}

/** An IPv6 address is told from its port by brackets (RFC 3986 3.2.2). */
const authority = (address: string, port: string | undefined): string =>
  `${address.includes(':') ? `[${address}]` : address}:${port}`;
