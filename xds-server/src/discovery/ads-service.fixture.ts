import { create, fromBinary, type JsonObject, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema } from '@inmesh/sdk/internal/gen/discovery';
import { createFakeClock, settle } from '../../../test/harness/fake-clock.ts';
import { LISTENER_TYPE } from '../translate/resource-types.ts';
import { AdsService, type AdsServiceOptions } from './ads-service.ts';
import { nodeOf } from './node.fixture.ts';
import { textResource } from './session.fixture.ts';
import type { Session } from './session.ts';

const encode = (fields: MessageInitShape<typeof DeltaDiscoveryRequestSchema>): Uint8Array =>
  toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, fields));

/** A service of plain texts with streams that keep what they hear. */
export function plainService(options: Partial<AdsServiceOptions> = {}) {
  const clock = createFakeClock();
  const world = new Map<string, string>();
  const warnings: string[] = [];
  const service = new AdsService({
    clock,
    ready: Promise.resolve(),
    lookup: (_identity, type) => (name) => textResource(type, name, world.get(name)),
    revision: () => '1',
    registrations: { register: () => {}, unregister: () => {} },
    on: { warning: (message) => warnings.push(message) },
    ...options,
  });
  const stream = (id: string, metadata: JsonObject = {}) => {
    const heard: string[] = [];
    let nonce = '';
    let ended: string | undefined;
    const session: Session = service.open('delta', {
      send(bytes) {
        const message = fromBinary(DeltaDiscoveryResponseSchema, bytes);
        ({ nonce } = message);
        heard.push(message.resources.map(({ version }) => version).join(','));
        return true;
      },
      pause: () => {},
      resume: () => {},
      end: (code, message) => {
        ended = `${code} ${message}`;
      },
    });
    return {
      heard,
      session,
      ended: () => ended,
      close: () => service.closed(session),
      subscribe: (...names: string[]) =>
        service.receive(
          session,
          encode({ node: nodeOf(id, metadata), typeUrl: LISTENER_TYPE, resourceNamesSubscribe: names }),
        ),
      acknowledge: () => service.receive(session, encode({ typeUrl: LISTENER_TYPE, responseNonce: nonce })),
    };
  };
  return { clock, service, world, warnings, stream };
}

/** Enough turns of the event loop for everything due to be said. */
export const quiet = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await settle();
};
