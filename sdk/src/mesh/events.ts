import type { EventSink, MeshEvent } from '../model/events.ts';
import { isCallChannelWatched, publish } from '../telemetry/channels.ts';
import { EventCounts } from '../telemetry/event-counts.ts';

/** The one stream of events of a mesh: to its listeners and to diagnostics channels. */
export interface Events {
  readonly emit: EventSink;
  /** Somebody wants `call` events. */
  isObserved(): boolean;
  on(listener: EventSink): () => void;
  readonly counts: EventCounts;
}

export function createEvents(): Events {
  const listeners = new Set<EventSink>();
  const counts = new EventCounts();
  return {
    counts,
    emit(event: MeshEvent) {
      counts.record(event);
      publish(event);
      for (const listener of listeners) {
        try {
          listener(event);
        } catch (error) {
          // A listener's fault is not the call's.
          process.emitWarning(error instanceof Error ? error : new Error(String(error)), { code: 'INMESH_LISTENER' });
        }
      }
    },
    isObserved: () => listeners.size > 0 || counts.countsCalls || isCallChannelWatched(),
    on(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}
