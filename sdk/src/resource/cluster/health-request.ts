import {
  CodecClientType,
  type HealthCheck_GrpcHealthCheck as GrpcMessage,
  type HealthCheck_HttpHealthCheck as HttpMessage,
  type HealthCheck as Message,
  type HealthCheck_Payload as Payload,
  RequestMethod,
  type HealthCheck_TcpHealthCheck as TcpMessage,
} from '../../../gen/core.js';
import { defaultOf } from '../../defaults.ts';
import type { HealthCheckRequest, StatusRange } from '../../model/health-check.ts';
import { decodeList, NONE } from '../lists.ts';
import { decodeMutation } from '../route/header-mutation.ts';
import type { Scope } from '../scope.ts';
import { required } from '../values.ts';

/** Envoy HealthCheck.health_checker. */
export function decodeHealthRequest(checker: Message['healthChecker'], at: Scope): HealthCheckRequest | undefined {
  switch (checker.case) {
    case 'httpHealthCheck':
      return decodeHttp(checker.value, at.at('http_health_check'));
    case 'tcpHealthCheck':
      return decodeTcp(checker.value, at.at('tcp_health_check'));
    case 'grpcHealthCheck':
      return decodeGrpc(checker.value, at.at('grpc_health_check'));
    default:
      at.error(`${checker.case ?? 'no check'}, http_health_check, tcp_health_check or grpc_health_check allowed`);
      return undefined;
  }
}

const OK: readonly StatusRange[] = [{ start: 200, end: 201 }];

function decodeHttp(message: HttpMessage, at: Scope): HealthCheckRequest {
  const { host, expectedStatuses, retriableStatuses, codecClientType: codec, send, responseBufferSize: size } = message;
  const body = send && decodePayload(send, at.at('send'));
  if (codec === CodecClientType.HTTP3) at.at('codec_client_type').error('HTTP3, HTTP1 or HTTP2 allowed');
  return {
    kind: 'http',
    path: required(message.path, at.at('path')),
    method: decodeMethod(message.method, at.at('method')),
    ...(host !== '' && { host }),
    requestHeaders: decodeMutation(
      {
        add: message.requestHeadersToAdd,
        remove: message.requestHeadersToRemove,
        addField: 'request_headers_to_add',
        removeField: 'request_headers_to_remove',
      },
      at,
    ),
    expected: expectedStatuses.length > 0 ? decodeList(expectedStatuses, at.at('expected_statuses'), decodeRange) : OK,
    retriable: decodeList(retriableStatuses, at.at('retriable_statuses'), decodeRange),
    http2: codec === CodecClientType.HTTP2,
    ...(body && { body }),
    receive: decodeList(message.receive, at.at('receive'), decodePayload),
    receiveBytes: size === undefined ? defaultOf('healthCheckBodyBytes') : Number(size),
  };
}

/** GET unless it says otherwise; a health check cannot be a CONNECT (Envoy HttpHealthCheck.method). */
function decodeMethod(method: RequestMethod, at: Scope): string {
  if (method === RequestMethod.METHOD_UNSPECIFIED) return 'GET';
  const name = RequestMethod[method];
  if (name === undefined || method === RequestMethod.CONNECT) at.error(`${name ?? method}, GET to PATCH allowed`);
  return name ?? 'GET';
}

/** Envoy: 100 ≤ start < end ≤ 600. */
function decodeRange({ start, end }: { readonly start: bigint; readonly end: bigint }, at: Scope): StatusRange {
  if (start < 100n || end > 600n || start >= end) at.error(`${start} to ${end}, 100 to 600 allowed, start before end`);
  return { start: Number(start), end: Number(end) };
}

function decodeTcp({ send, receive }: TcpMessage, at: Scope): HealthCheckRequest {
  const bytes = send && decodePayload(send, at.at('send'));
  return {
    kind: 'tcp',
    ...(bytes && { send: bytes }),
    receive: decodeList(receive, at.at('receive'), decodePayload),
  };
}

const decodeGrpc = ({ serviceName, authority, initialMetadata }: GrpcMessage, at: Scope): HealthCheckRequest => ({
  kind: 'grpc',
  service: serviceName,
  ...(authority !== '' && { authority }),
  initialMetadata: decodeMutation(
    { add: initialMetadata, remove: NONE, addField: 'initial_metadata', removeField: '' },
    at,
  ),
});

/** Envoy HealthCheck.Payload: bytes, or their hexadecimal text. */
function decodePayload({ payload }: Payload, at: Scope): Uint8Array {
  if (payload.case === 'binary') return payload.value;
  const text = payload.value ?? '';
  if (text === '' || text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) {
    at.at('text').error(`"${text.slice(0, 64)}", pairs of hexadecimal digits allowed`);
    return new Uint8Array();
  }
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
