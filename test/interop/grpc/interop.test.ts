import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientCases, clientOf } from './client-cases.ts';
import { IMPLEMENTATIONS } from './peers.ts';
import { type Place, WAYS } from './places.ts';

/** A client of grpc-js on the mesh against the interop servers of other implementations. */

describe.each(IMPLEMENTATIONS)("%s's interop server", (_, command) => {
  describe.skipIf(command === undefined).each(WAYS)('%s', (__, peer, open) => {
    let place: Place;
    let client: ReturnType<typeof clientOf>;
    beforeAll(async () => {
      place = await open(command);
      client = clientOf(place);
    });
    afterAll(async () => {
      client?.close();
      await place?.close();
    });

    clientCases(
      () => place,
      () => client,
    );

    it('every answer came from whom the certificate names, if there is one', () => {
      expect([...place.peers]).toEqual([peer]);
    });
  });
});
