import type { Guarded } from '../guarded.ts';

/** grpc.health.v1 HealthCheckResponse.ServingStatus. */
const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;

const NOT_FOUND = 5;

/** An object: grpc-js takes an empty text for no message at all. */
export interface HealthRequest {
  readonly service: string;
}

/** `string service = 1`, which is all there is in a HealthCheckRequest; the protobuf runtime is not loaded for it. */
export function decodeRequest(bytes: Buffer): HealthRequest {
  let service = '';
  for (let at = 0; at < bytes.length; ) {
    const [tag, afterTag] = varint(bytes, at);
    if (tag !== 10) throw new Error(`grpc.health.v1.HealthCheckRequest: field ${tag >> 3}, service (1) allowed`);
    const [length, start] = varint(bytes, afterTag);
    if (start + length > bytes.length) throw new Error('grpc.health.v1.HealthCheckRequest: cut off');
    service = bytes.toString('utf8', start, start + length);
    at = start + length;
  }
  return { service };
}

function varint(bytes: Buffer, start: number): readonly [value: number, end: number] {
  let value = 0;
  for (let at = start, shift = 0; shift < 35; at++, shift += 7) {
    const byte = bytes[at];
    if (byte === undefined) break;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return [value, at + 1];
  }
  throw new Error('grpc.health.v1.HealthCheckRequest: a length that is cut off');
}

/** `ServingStatus status = 1`. */
const encodeResponse = (status: number): Buffer => Buffer.from([8, status]);

const SERVICE = '/grpc.health.v1.Health';

const method = (name: string, responseStream: boolean) => ({
  path: `${SERVICE}/${name}`,
  requestStream: false,
  responseStream,
  requestSerialize: ({ service }: HealthRequest) => {
    const text = Buffer.from(service);
    return Buffer.concat([Buffer.from([10, text.length]), text]);
  },
  requestDeserialize: decodeRequest,
  responseSerialize: encodeResponse,
  responseDeserialize: (bytes: Buffer) => bytes[1] ?? 0,
});

export const HEALTH = { Check: method('Check', false), Watch: method('Watch', true) };

export interface HealthParts {
  /** All of them must serve. */
  readonly guarded: readonly Guarded[];
  /** Beside the empty name, which stands for the whole server. */
  readonly services: ReadonlySet<string>;
}

interface UnaryCall {
  readonly request: HealthRequest;
}

interface WatchCall extends UnaryCall {
  write(status: number): unknown;
  on(event: 'cancelled' | 'close', listener: () => void): unknown;
}

/** Longer than a header may be, it would end the answer. */
const LONGEST_ECHO = 256;

const unknown = (service: string): string =>
  service.length > LONGEST_ECHO
    ? `unknown service, a name of ${service.length} characters`
    : `unknown service "${service}"`;

type Answered = (error: { readonly code: number; readonly details: string } | null, status?: number) => void;

/** gRPC health checking: the serving state of guarded servers. */
export function healthHandlers({ guarded, services }: HealthParts): object {
  const statusOf = (service: string): number => {
    if (service !== '' && !services.has(service)) return SERVICE_UNKNOWN;
    return guarded.every((one) => one.unready() === undefined) ? SERVING : NOT_SERVING;
  };
  return {
    Check({ request }: UnaryCall, answered: Answered): void {
      const status = statusOf(request.service);
      if (status === SERVICE_UNKNOWN) answered({ code: NOT_FOUND, details: unknown(request.service) });
      else answered(null, status);
    },
    // It goes on until the caller ends it, also for a name that is not known (health.proto).
    Watch(call: WatchCall): void {
      let told: number | undefined;
      const tell = (): void => {
        const status = statusOf(call.request.service);
        if (status === told) return;
        told = status;
        call.write(status);
      };
      const stops = guarded.map((one) => one.onServingChange(tell));
      const end = (): void => {
        for (const stop of stops.splice(0)) stop();
      };
      call.on('cancelled', end);
      call.on('close', end);
      tell();
    },
  };
}
