import type { AdsListener, AdsStream, AdsTransport, CallControlPlane } from '@inmesh/sdk/internal/discovery/transport';
import type { Principal } from '../auth/principal.ts';
import type { AdsService } from './ads-service.ts';
import type { Certify } from './grpc-services.ts';
import { LOCAL } from './peer.ts';

/** Who is on our side of a transport, and what it may ask beside its streams. */
export interface InProcessOptions {
  readonly principal?: Principal;
  /** Absent: there is no CA, or nobody it would certify. */
  readonly certify?: Certify;
}

/**
 * ADS without a socket: the SDK of the same process talks to the service through function calls, with the same bytes as on the
 * wire. Each direction takes its own turn of the event loop, so neither side is ever called from inside its own call.
 */
export function createInProcessTransport(
  service: AdsService,
  { principal, certify }: InProcessOptions = {},
): AdsTransport {
  const peer = principal === undefined ? LOCAL : { ...LOCAL, principal };
  return {
    server: 'in-process',
    ...(certify !== undefined && { call: callOf(certify, principal) }),
    open(method, on: AdsListener): AdsStream {
      let ended = false;
      /** Requests that wait while the service reads this stream more slowly. */
      let unread: Uint8Array[] | undefined;
      const later = (run: () => void): void => {
        setImmediate(() => {
          if (!ended) run();
        });
      };
      const link = {
        send(bytes: Buffer) {
          later(() => on.message(bytes));
          return true;
        },
        pause() {
          unread ??= [];
        },
        resume() {
          const waiting = unread ?? [];
          unread = undefined;
          for (const bytes of waiting) receive(bytes);
        },
        end(code: number, message: string) {
          later(() => {
            ended = true;
            on.close({ code, message });
            service.closed(session);
          });
        },
      };
      const session = service.open(method, link, { peer });
      const receive = (bytes: Uint8Array): void => {
        if (unread === undefined) service.receive(session, bytes);
        else unread.push(bytes);
      };
      later(() => on.opened?.());
      return {
        send(bytes) {
          if (!ended) setImmediate(() => receive(bytes));
        },
        close() {
          if (ended) return;
          ended = true;
          setImmediate(() => service.closed(session));
        },
        ref() {},
        unref() {},
      };
    },
  };
}

const CREATE_CERTIFICATE = '/istio.v1.auth.IstioCertificateService/CreateCertificate';

const callOf =
  (certify: Certify, principal: Principal | undefined): CallControlPlane =>
  async (path, request) => {
    if (path !== CREATE_CERTIFICATE) throw new Error(`${path}: the control plane has no such method`);
    const answer = await certify(request, principal);
    if (answer instanceof Uint8Array) return answer;
    throw Object.assign(new Error(answer.message), { code: answer.code });
  };
