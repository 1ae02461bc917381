import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE, SECRET_TYPE } from '../translate/resource-types.ts';

/** The order a push sends types in: keys and clusters with their endpoints before what names them (make before break). */
const PUSH_ORDER: readonly string[] = [SECRET_TYPE, CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE];

/** Types a stream has, in the order of a push; side types come last. */
export const inPushOrder = (typeUrls: ReadonlySet<string>): readonly string[] => [
  ...PUSH_ORDER.filter((typeUrl) => typeUrls.has(typeUrl)),
  ...[...typeUrls].filter((typeUrl) => !PUSH_ORDER.includes(typeUrl)),
];

/** State-of-the-world answers of these types hold every subscribed resource: absence is deletion. */
export const isWhole = (typeUrl: string): boolean => typeUrl === LISTENER_TYPE || typeUrl === CLUSTER_TYPE;

/** What is gone of these types is said last, when no route names it any more. */
export const isDroppedLast = (typeUrl: string): boolean => typeUrl === CLUSTER_TYPE || typeUrl === ENDPOINT_TYPE;
