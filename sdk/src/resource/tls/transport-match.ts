import type { JsonObject } from '@bufbuild/protobuf';
import type { Cluster_TransportSocketMatch as Message } from '../../../gen/cluster.js';
import type { TransportMatch } from '../../model/tls.ts';
import type { Scope } from '../scope.ts';
import { required } from '../values.ts';
import { labelsOf } from './labels.ts';
import { decodeTransportSocket } from './upstream-tls.ts';

/** Cluster.transport_socket_matches: one of them. */
export function decodeTransportMatch({ name, match, transportSocket }: Message, at: Scope): TransportMatch {
  required(name, at.at('name'));
  const socket = at.at('transport_socket');
  if (transportSocket === undefined) socket.error('missing, a transport is required');
  const tls = transportSocket && decodeTransportSocket(transportSocket, socket);
  return { name, match: decodeLabels(match ?? {}, at.at('match')), tls };
}

function decodeLabels(match: JsonObject, at: Scope): ReadonlyMap<string, string> {
  for (const [key, value] of Object.entries(match)) {
    if (typeof value !== 'string') at.at(key).error(`${typeof value}, text allowed`);
  }
  return labelsOf(match);
}
