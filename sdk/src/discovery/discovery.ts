import type { JsonValue } from '@bufbuild/protobuf';
import type { Node } from '../../gen/core.js';
import type { Clock, Random, Timer } from '../clock.ts';
import type { EventSink } from '../model/events.ts';
import type { ResourceType } from '../resource/resource-type.ts';
import { AdsClient } from './ads-client.ts';
import type { Connection } from './connection.ts';
import type { ResourceWatcher } from './entry.ts';
import type { LastGood } from './last-good.ts';
import type { NodeDescription } from './protocol/node-description.ts';
import type { XdsServer } from './server-link.ts';
import type { YieldTurn } from './slices.ts';
import type { AdsMethod } from './transport.ts';
import type { DescribedResource } from './type-book.ts';

export type { ResourceWatcher } from './entry.ts';

export interface DiscoveryOptions {
  /** In order of preference (gRFC A71). */
  readonly servers: readonly XdsServer[];
  /** Control planes of names like `xdstp://AUTHORITY/…` (gRFC A47). */
  readonly authorities?: ReadonlyMap<string, readonly XdsServer[]>;
  readonly node: NodeDescription;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: EventSink;
  /** Forces a method; without it delta comes first and SotW when the server does not know delta. */
  readonly method?: AdsMethod;
  /** What to start with while the control plane is away. */
  readonly lastGood?: LastGood;
  /** Gives the event loop to others between slices of a decode. */
  readonly turn?: YieldTurn;
  /** Keeps the process alive while `ref` holds. */
  readonly hold?: () => Timer;
}

/** One server of one authority. */
export interface ServerStatus {
  readonly server: string;
  /** Missing: of the top level. */
  readonly authority?: string;
  readonly state: Connection['kind'];
  readonly reason: string | undefined;
  /** It is the one that is listened to. */
  readonly isUsed: boolean;
}

export interface DiscoveryStatus {
  /** The one that is listened to. */
  readonly server: string;
  readonly method: AdsMethod | undefined;
  readonly state: Connection['kind'];
  /** Why the stream is not up. */
  readonly reason: string | undefined;
  /** All there are, in order of preference. */
  readonly servers: readonly ServerStatus[];
  /** Who we are to them. */
  readonly node: Node;
  readonly resources: readonly ResourceStatus[];
  /** Since the start. */
  readonly counts: { readonly responses: number; readonly nacks: number; readonly warnings: number };
}

export interface ResourceStatus extends DescribedResource {
  readonly typeUrl: string;
}

/** The client's side of xDS: one stream a server for all types, no type known by name. */
export interface Discovery {
  /** Asks for a resource until the returned function is called. The watcher is never called from inside. */
  subscribe<T>(type: ResourceType<T>, name: string, watcher: ResourceWatcher<T>): () => void;
  /** As the function that `subscribe` returned, for who holds thousands of subscriptions and would rather not hold those. */
  unsubscribe<T>(type: ResourceType<T>, name: string, watcher: ResourceWatcher<T>): void;
  /** Changes the node's metadata; a request that repeats the node tells the server at once. */
  setMetadata(key: string, value: JsonValue): void;
  /** Opens the stream without asking for anything. */
  connect(): void;
  /** Resolves once the server could be spoken to (again: at once while it can). Never rejects. */
  connected(): Promise<void>;
  status(): DiscoveryStatus;
  /** The server that is listened to for a name. */
  serverOf(name: string): string;
  /** ms for which a control plane that was just reconnected to may still be learning what there is; 0 otherwise. */
  settlesInMs(): number;
  /** Counted: while any is held, the process stays alive. */
  ref(): void;
  unref(): void;
  /** Ends the stream; nothing is told afterwards. */
  close(): Promise<void>;
}

export function createDiscovery(options: DiscoveryOptions): Discovery {
  return new AdsClient(options);
}
