import type { Socket } from 'node:net';

const peers = new WeakMap<Socket, string>();

/** The SPIFFE ID of the server at the other end; undefined: in clear, or no peer of the mesh. */
export const peerOf = (socket: Socket): string | undefined => peers.get(socket);

export const setPeer = (socket: Socket, id: string): void => {
  peers.set(socket, id);
};
