import type { handleBidiStreamingCall, handleUnaryCall, Metadata, Server } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import type { Clock } from '@inmesh/sdk/internal/clock';
import { isRefusal, type Principal, type Refusal } from '../auth/principal.ts';
import { SECRET_TYPE } from '../translate/resource-types.ts';
import { type Admit, type Admitted, type Arrival, addressOf, isTurnedAway } from './admit.ts';
import type { AdsService } from './ads-service.ts';
import { type AdsCall, endWith, linkOf, streamBelow } from './grpc-link.ts';
import type { LoadService } from './load-service.ts';
import type { Peer } from './peer.ts';
import { admitted as admittedOn, proofOf } from './tls-door.ts';

/** The encoded IstioCertificateResponse, or a gRPC status that says why there is none. */
export type Certify = (
  request: Uint8Array,
  principal: Principal | undefined,
) => Promise<Uint8Array | { readonly code: number; readonly message: string }>;

/** What the services of one port stand on. */
export interface GrpcServiceParts {
  readonly service: AdsService;
  readonly clock: Clock;
  readonly transport: Arrival['transport'];
  readonly admit: Admit;
  /** Someone was not let in. */
  readonly turnedAway: (refusal: Refusal, address: string | undefined) => void;
  /** Absent: there is no CA here. */
  readonly certify?: Certify | undefined;
  /** Absent: nobody is asked to report its load. */
  readonly loads?: LoadService | undefined;
  /** How long a peer may read nothing of what waits for it. */
  readonly unreadMs: number;
}

const ADS = '/envoy.service.discovery.v3.AggregatedDiscoveryService';
const SDS = '/envoy.service.secret.v3.SecretDiscoveryService';
const LRS = '/envoy.service.load_stats.v3.LoadReportingService';
const CA = '/istio.v1.auth.IstioCertificateService';

const pass = (bytes: Buffer): Buffer => bytes;

/** Messages pass as the bytes they are. */
const definition = (path: string, isStream: boolean) => ({
  path,
  requestStream: isStream,
  responseStream: isStream,
  requestSerialize: pass,
  requestDeserialize: pass,
  responseSerialize: pass,
  responseDeserialize: pass,
});

export function addServices(server: Server, parts: GrpcServiceParts): void {
  server.addService(
    {
      StreamAggregatedResources: definition(`${ADS}/StreamAggregatedResources`, true),
      DeltaAggregatedResources: definition(`${ADS}/DeltaAggregatedResources`, true),
    },
    { StreamAggregatedResources: stream(parts, 'sotw'), DeltaAggregatedResources: stream(parts, 'delta') },
  );
  server.addService(
    {
      StreamSecrets: definition(`${SDS}/StreamSecrets`, true),
      DeltaSecrets: definition(`${SDS}/DeltaSecrets`, true),
      FetchSecrets: definition(`${SDS}/FetchSecrets`, false),
    },
    {
      StreamSecrets: stream(parts, 'sotw', SECRET_TYPE),
      DeltaSecrets: stream(parts, 'delta', SECRET_TYPE),
      FetchSecrets: fetchOnce(parts, SECRET_TYPE),
    },
  );
  const { certify, loads } = parts;
  if (loads !== undefined)
    server.addService(
      { StreamLoadStats: definition(`${LRS}/StreamLoadStats`, true) },
      { StreamLoadStats: loadStream(parts, loads) },
    );
  if (certify === undefined) return;
  server.addService(
    { CreateCertificate: definition(`${CA}/CreateCertificate`, false) },
    { CreateCertificate: certificates(parts, certify) },
  );
}

interface AnyCall {
  readonly metadata: Metadata;
  getPeer(): string;
}

/** Synchronous where nothing has to be verified: a stream of this machine costs no turn of the event loop. */
function arrive(
  call: AnyCall,
  { admit, transport, turnedAway }: GrpcServiceParts,
  then: (peer: Peer) => void,
  refuse: (code: number, message: string) => void,
): void {
  const address = addressOf(call.getPeer());
  const connection = transport === 'tls' ? streamBelow(call)?.session : undefined;
  const certificate = proofOf(connection?.socket);
  const arrival: Arrival = { transport, address, authorization: call.metadata.get('authorization'), certificate };
  const next = (admitted: Admitted): void => {
    if (isTurnedAway(admitted)) {
      turnedAway(admitted, address);
      refuse(codeOf(admitted), admitted.message);
      // Whoever showed a bad certificate has to connect again to show a better one.
      if (certificate !== undefined && isRefusal(certificate)) setImmediate(() => connection?.close());
    } else {
      admittedOn(connection?.socket);
      then(admitted);
    }
  };
  const admitted = admit(arrival);
  if (admitted instanceof Promise)
    admitted.then(next, () => refuse(status.INTERNAL, 'the credential could not be looked at'));
  else next(admitted);
}

/** Whoever cannot judge a credential may be able to in a moment. */
const codeOf = ({ refused }: Refusal): number =>
  refused === 'keys-unavailable' || refused === 'review-unavailable' ? status.UNAVAILABLE : status.UNAUTHENTICATED;

function stream(
  parts: GrpcServiceParts,
  method: 'delta' | 'sotw',
  only?: string,
): handleBidiStreamingCall<Buffer, Buffer> {
  const { service, clock, unreadMs } = parts;
  const open = (call: AdsCall, peer: Peer): void => {
    if (call.cancelled) return;
    const stuck = (unread: number) => service.stuck(session, unread, unreadMs);
    const link = linkOf(call, { clock, unreadMs, session: () => session, stuck });
    const session = service.open(method, link, { peer, ...(only !== undefined && { only }) });
    const gone = () => service.closed(session);
    call.on('data', (bytes: Buffer) => service.receive(session, bytes));
    call.on('end', () => {
      gone();
      call.end();
    });
    for (const event of ['cancelled', 'error', 'close']) call.on(event, gone);
  };
  return (call: AdsCall) =>
    arrive(
      call,
      parts,
      (peer) => open(call, peer),
      (code, message) => endWith(call, code, message),
    );
}

function loadStream(parts: GrpcServiceParts, loads: LoadService): handleBidiStreamingCall<Buffer, Buffer> {
  const open = (call: AdsCall, peer: Peer): void => {
    if (call.cancelled) return;
    const link = {
      send: (bytes: Buffer) => void call.write(bytes),
      end: (code: number, message: string) => endWith(call, code, message),
    };
    const reports = loads.open(link, peer);
    call.on('data', (bytes: Buffer) => reports.receive(bytes));
    call.on('end', () => {
      reports.closed();
      call.end();
    });
    for (const event of ['cancelled', 'error', 'close']) call.on(event, () => reports.closed());
  };
  return (call: AdsCall) =>
    arrive(
      call,
      parts,
      (peer) => open(call, peer),
      (code, message) => endWith(call, code, message),
    );
}

/** One request and one answer, over a stream of its own that ends with it. */
function fetchOnce({ ...parts }: GrpcServiceParts, only: string): handleUnaryCall<Buffer, Buffer> {
  const { service } = parts;
  return (call, callback) => {
    const refuse = (code: number, message: string): void => callback({ code, details: message });
    arrive(
      call,
      parts,
      (peer) => {
        let isOver = false;
        const over = (): boolean => {
          const was = isOver;
          isOver = true;
          if (!was) setImmediate(() => service.closed(session));
          return was;
        };
        const link = {
          send(bytes: Buffer) {
            if (!over()) callback(null, bytes);
            return true;
          },
          pause() {},
          resume() {},
          end(code: number, message: string) {
            if (!over()) refuse(code, message);
          },
        };
        const session = service.open('sotw', link, { peer, only });
        call.on('cancelled', over);
        service.receive(session, call.request);
      },
      refuse,
    );
  };
}

function certificates(parts: GrpcServiceParts, certify: Certify): handleUnaryCall<Buffer, Buffer> {
  return (call, callback) => {
    const refuse = (code: number, message: string): void => callback({ code, details: message });
    const answer = async ({ principal }: Peer): Promise<void> => {
      const made = await certify(call.request, principal);
      if (made instanceof Uint8Array) callback(null, Buffer.from(made));
      else refuse(made.code, made.message);
    };
    arrive(
      call,
      parts,
      (peer) => void answer(peer).catch(() => refuse(status.INTERNAL, 'the certificate could not be made')),
      refuse,
    );
  };
}
