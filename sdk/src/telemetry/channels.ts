import { type Channel, channel } from 'node:diagnostics_channel';
import type { MeshEvent } from '../model/events.ts';

/** Every event of every mesh in this process, on the diagnostics channel `mesh:` + its kind. */
const CHANNELS = new Map<MeshEvent['kind'], Channel>();

function channelOf(kind: MeshEvent['kind']): Channel {
  let found = CHANNELS.get(kind);
  if (found === undefined) {
    found = channel(`mesh:${kind}`);
    CHANNELS.set(kind, found);
  }
  return found;
}

export function publish(event: MeshEvent): void {
  const to = channelOf(event.kind);
  if (to.hasSubscribers) to.publish(event);
}

/** Calls come by the thousand: their event is made only for somebody. */
export const isCallChannelWatched = (): boolean => channelOf('call').hasSubscribers;
