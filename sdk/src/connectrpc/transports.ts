import type { DescMethod } from '@bufbuild/protobuf';
import type { Transport } from '@connectrpc/connect';
import { type CommonTransportOptions, validateReadWriteMaxBytes } from '@connectrpc/connect/protocol';
import { createTransport as createConnect } from '@connectrpc/connect/protocol-connect';
import { createTransport as createGrpc } from '@connectrpc/connect/protocol-grpc';
import { createTransport as createGrpcWeb } from '@connectrpc/connect/protocol-grpc-web';
import { compressionBrotli, compressionGzip } from '@connectrpc/connect-node';
import { MeshError } from '../errors.ts';
import type { CallPolicy } from '../http/call-policy.ts';
import { policyFault } from '../http/policy-fault.ts';
import type { MeshRuntime } from '../http/runtime.ts';
import { OUTBOUND, type WithOutbound } from '../mesh/outbound.ts';
import { defaultMesh, type Mesh } from '../mesh.ts';
import { type MeshClientParts, streamClient, unaryClient } from './mesh-client.ts';
import type { MeshConnectTransportOptions, MeshGrpcTransportOptions, MeshGrpcWebTransportOptions } from './options.ts';
import { createPlainClient } from './plain-client.ts';

/**
 * The Connect protocol over the mesh. Options are connect-node's, but for those about connections. Throws MESH_CONFIG_INVALID for a
 * `baseUrl` that is none, and what connect-node throws for limits out of range.
 *
 * @example
 * const transport = createConnectTransport({ baseUrl: 'http://eliza:8080' });
 * const eliza = createClient(ElizaService, transport);
 */
export const createConnectTransport = (options: MeshConnectTransportOptions): Transport =>
  transportOf(createConnect, options, 'connect');

/** The gRPC protocol over the mesh: HTTP/2 to the endpoint whatever its cluster is said to speak. Options and errors as of `createConnectTransport`. */
export const createGrpcTransport = (options: MeshGrpcTransportOptions): Transport =>
  transportOf(createGrpc, options, 'grpc');

/** The gRPC-web protocol over the mesh. Options and errors as of `createConnectTransport`. */
export const createGrpcWebTransport = (options: MeshGrpcWebTransportOptions): Transport =>
  transportOf(createGrpcWeb, options, 'grpc-web');

type Given = Partial<CommonTransportOptions> &
  Pick<MeshConnectTransportOptions, 'baseUrl' | 'mesh' | 'policy' | 'httpVersion'>;

function transportOf(
  create: (options: CommonTransportOptions) => Transport,
  { mesh, policy = {}, httpVersion = '1.1', ...given }: Given,
  kind: 'connect' | 'grpc' | 'grpc-web',
): Transport {
  const { baseUrl } = given;
  const fault = faultOf(baseUrl, policy);
  if (fault !== undefined) throw new MeshError('MESH_CONFIG_INVALID', fault);
  const isGrpc = kind === 'grpc';
  const parts: MeshClientParts = {
    runtime: runtimeOf(mesh),
    plain: createPlainClient(baseUrl, isGrpc ? '2' : httpVersion),
    protocol: kind === 'connect' ? 'connect' : 'grpc',
    isGrpc,
    policy,
  };
  const options = {
    ...given,
    useBinaryFormat: given.useBinaryFormat ?? true,
    interceptors: given.interceptors ?? [],
    sendCompression: given.sendCompression ?? null,
    acceptCompression: given.acceptCompression ?? [compressionGzip, compressionBrotli],
    ...validateReadWriteMaxBytes(given.readMaxBytes, given.writeMaxBytes, given.compressMinBytes),
  };
  const one = create({ ...options, httpClient: unaryClient(parts) });
  const many = create({ ...options, httpClient: streamClient(parts) });
  const repeatable = create({
    ...options,
    httpClient: unaryClient({ ...parts, policy: { idempotent: true, ...policy } }),
  });
  const ofOneMessage = ({ idempotency }: DescMethod): Transport => (isIdempotent(idempotency) ? repeatable : one);
  return {
    unary: (method, ...rest) => ofOneMessage(method).unary(method, ...rest),
    stream: (method, ...rest) =>
      (method.methodKind === 'server_streaming' ? ofOneMessage(method) : many).stream(method, ...rest),
  };
}

function faultOf(baseUrl: string, policy: CallPolicy): string | undefined {
  if (!/^https?:$/.test(URL.parse(baseUrl)?.protocol ?? '')) {
    return `baseUrl is "${baseUrl}": an http or https URL is wanted`;
  }
  const fault = policyFault(policy);
  return fault && `policy.${fault}`;
}

/** google.protobuf.MethodOptions.idempotency_level; 0 = unknown. */
const isIdempotent = (level: DescMethod['idempotency']): boolean => level !== undefined && Number(level) !== 0;

function runtimeOf(mesh: Mesh = defaultMesh()): MeshRuntime {
  const runtime = (mesh as unknown as Partial<WithOutbound>)[OUTBOUND];
  if (runtime === undefined) throw new MeshError('MESH_CONFIG_INVALID', '`mesh` is no mesh of createMesh');
  return runtime;
}
