import type { Socket } from 'node:net';
import type { GrpcDoor } from './admin-server.ts';
import type { ClientStatusSubject } from './client-status.ts';

/** CSDS, of which nothing is loaded before someone asks. */
export function csdsDoor(subject: ClientStatusSubject): GrpcDoor {
  let service: Promise<GrpcDoor> | undefined;
  let isClosed = false;
  return {
    take(socket: Socket) {
      service ??= import('./csds-service.ts').then(({ createCsdsService }) => createCsdsService(subject));
      service.then(
        (door) => (isClosed ? socket.destroy() : door.take(socket)),
        () => socket.destroy(),
      );
    },
    close() {
      isClosed = true;
      service?.then(
        (door) => door.close(),
        () => {},
      );
    },
  };
}
