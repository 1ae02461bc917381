import { create } from '@bufbuild/protobuf';
import { NodeSchema } from '../../sdk/gen/core.js';
import type { Discovery, ResourceWatcher } from '../../sdk/src/discovery/discovery.ts';
import type { ResourceType } from '../../sdk/src/resource/resource-type.ts';

/** What a control plane says of one resource. */
type Posted<T> =
  | { readonly value: T }
  | { readonly absent: string }
  | { readonly bad: string }
  | { readonly silent: string };

/** Discovery without a protocol: a board on which a test posts decoded resources, in any order. */
export interface ResourceBoard {
  readonly discovery: Discovery;
  /** Tells who watches now, and whoever comes later. */
  post<T>(type: ResourceType<T>, name: string, posted: Posted<T>): void;
  /** `Type name` of everything watched now. */
  watched(): string[];
  refs: number;
  /** As if the control plane had just been reconnected to. */
  settlesInMs: number;
}

interface Slot {
  readonly watchers: Set<ResourceWatcher<unknown>>;
  posted: Posted<unknown> | undefined;
}

const label = (typeUrl: string, name: string): string => `${typeUrl.slice(typeUrl.lastIndexOf('.') + 1)} ${name}`;

function tell(watcher: ResourceWatcher<unknown>, posted: Posted<unknown>): void {
  if ('value' in posted) watcher.onResource(posted.value, '1');
  else if ('absent' in posted) watcher.onAbsent(posted.absent);
  else if ('bad' in posted) watcher.onError(posted.bad);
  else watcher.onSilent?.(posted.silent);
}

export function createResourceBoard(): ResourceBoard {
  const slots = new Map<string, Slot>();
  const slotOf = (key: string): Slot => {
    const slot = slots.get(key) ?? { watchers: new Set(), posted: undefined };
    slots.set(key, slot);
    return slot;
  };
  const board: ResourceBoard = {
    refs: 0,
    settlesInMs: 0,
    discovery: {
      subscribe<T>(type: ResourceType<T>, name: string, watcher: ResourceWatcher<T>) {
        const slot = slotOf(label(type.typeUrl, name));
        const one = watcher as ResourceWatcher<unknown>;
        slot.watchers.add(one);
        queueMicrotask(() => slot.posted && slot.watchers.has(one) && tell(one, slot.posted));
        return () => slot.watchers.delete(one);
      },
      unsubscribe<T>(type: ResourceType<T>, name: string, watcher: ResourceWatcher<T>) {
        slotOf(label(type.typeUrl, name)).watchers.delete(watcher as ResourceWatcher<unknown>);
      },
      setMetadata: () => {},
      connect: () => {},
      connected: () => Promise.resolve(),
      status: () => ({
        server: 'board',
        method: 'delta',
        state: 'up',
        reason: undefined,
        servers: [],
        node: create(NodeSchema),
        resources: [],
        counts: { responses: 0, nacks: 0, warnings: 0 },
      }),
      serverOf: () => 'board',
      settlesInMs: () => board.settlesInMs,
      ref: () => {
        board.refs += 1;
      },
      unref: () => {
        board.refs -= 1;
      },
      close: () => Promise.resolve(),
    },
    post(type, name, posted) {
      const slot = slotOf(label(type.typeUrl, name));
      slot.posted = posted;
      for (const watcher of [...slot.watchers]) tell(watcher, posted);
    },
    watched: () =>
      [...slots]
        .filter(([, { watchers }]) => watchers.size > 0)
        .map(([key]) => key)
        .sort(),
  };
  return board;
}
