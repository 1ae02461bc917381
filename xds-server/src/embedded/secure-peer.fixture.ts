import { generateKeyPairSync } from 'node:crypto';
import { create, fromBinary, type JsonObject, toBinary } from '@bufbuild/protobuf';
import { Client, type ClientDuplexStream, credentials, Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { IstioCertificateRequestSchema, IstioCertificateResponseSchema } from '@inmesh/sdk/internal/gen/ca';
import { DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema } from '@inmesh/sdk/internal/gen/discovery';
import { type Secret, SecretSchema } from '@inmesh/sdk/internal/gen/tls';
import { createCsr } from '@inmesh/sdk/internal/identity/csr';
import { SECRET_TYPE } from '../translate/resource-types.ts';

const ADS = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
export const SDS = '/envoy.service.secret.v3.SecretDiscoveryService';
const CA = '/istio.v1.auth.IstioCertificateService/CreateCertificate';
const pass = (bytes: Buffer): Buffer => bytes;

/** What a test's client shows. */
export interface Shown {
  readonly token?: string;
  readonly certificate?: { readonly chain: string; readonly key: string };
  /** PEM that the server is held against; undefined: plain text. */
  readonly roots?: readonly string[];
}

/** A gRPC client of a control plane, with grpc-js and no code of ours below it. */
export function peerOf(address: string, { token, certificate, roots }: Shown = {}) {
  const channel =
    roots === undefined
      ? credentials.createInsecure()
      : credentials.createSsl(
          Buffer.from(roots.join('\n')),
          certificate && Buffer.from(certificate.key),
          certificate && Buffer.from(certificate.chain),
        );
  // One connection each: what one proves is not the other's.
  const options = { 'grpc.use_local_subchannel_pool': 1, 'grpc.ssl_target_name_override': 'localhost' };
  const client = new Client(address, channel, options);
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  const unary = (path: string, request: Uint8Array): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const deadline = Date.now() + 20_000;
      client.makeUnaryRequest(path, pass, pass, Buffer.from(request), metadata, { deadline }, (error, answer) => {
        if (error) reject(new Error(`${status[error.code]} ${error.details}`));
        else resolve(answer ?? Buffer.alloc(0));
      });
    });
  return {
    close: () => client.close(),
    unary,
    /** The first answer to one request of a stream. */
    firstAnswer: (path: string, request: Uint8Array): Promise<Buffer> =>
      new Promise((resolve, reject) => {
        const call = client.makeBidiStreamRequest(path, pass, pass, metadata);
        call.on('error', reject);
        call.once('data', (bytes: Buffer) => {
          resolve(bytes);
          call.end();
        });
        call.write(Buffer.from(request));
      }),
    /** One delta stream; what is asked for is told `yes`, with its version, or `no`. */
    stream: (node: { id: string; metadata?: JsonObject; userAgentName?: string }, path = ADS) =>
      deltaStream(client.makeBidiStreamRequest(path, pass, pass, metadata), node),
    /** A certificate for a key made here; `impersonated`: of somebody else (ztunnel). */
    async certificate(uri?: string, validitySeconds = 0, impersonated?: string) {
      const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const request = create(IstioCertificateRequestSchema, {
        csr: createCsr(keys, uri || undefined),
        ...(impersonated !== undefined && { metadata: { ImpersonatedIdentity: impersonated } }),
        validityDuration: BigInt(validitySeconds),
      });
      const answer = fromBinary(
        IstioCertificateResponseSchema,
        await unary(CA, toBinary(IstioCertificateRequestSchema, request)),
      );
      const chain = answer.certChain.slice(0, -1).join('\n');
      return { chain, key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), all: answer.certChain };
    },
  };
}

type Peer = ReturnType<typeof peerOf>;
export type PeerStream = ReturnType<Peer['stream']>;

function deltaStream(
  call: ClientDuplexStream<Buffer, Buffer>,
  node: { id: string; metadata?: JsonObject; userAgentName?: string },
) {
  const heard = new Map<string, string>();
  const secrets = new Map<string, Secret>();
  let ended: string | undefined;
  call.on('error', () => {});
  call.on('status', ({ code, details }: StatusObject) => {
    ended = `${status[code]} ${details}`;
  });
  const send = (fields: object): void => {
    call.write(Buffer.from(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, fields))));
  };
  call.on('data', (bytes: Buffer) => {
    const response = fromBinary(DeltaDiscoveryResponseSchema, bytes);
    for (const { name, version, resource } of response.resources) {
      heard.set(name, version);
      if (response.typeUrl === SECRET_TYPE && resource) secrets.set(name, fromBinary(SecretSchema, resource.value));
    }
    for (const name of response.removedResources) heard.set(name, 'no');
    send({ typeUrl: response.typeUrl, responseNonce: response.nonce });
  });
  let isFirst = true;
  return {
    call,
    heard,
    secrets,
    ended: () => ended,
    ask(typeUrl: string, ...names: string[]): void {
      send({ ...(isFirst && { node }), typeUrl, resourceNamesSubscribe: names });
      isFirst = false;
    },
  };
}

/** The text of an inline secret. */
export const textOf = (source: { specifier: { case: string | undefined; value?: unknown } } | undefined): string => {
  const { value } = source?.specifier ?? {};
  return value instanceof Uint8Array ? Buffer.from(value).toString() : String(value ?? '');
};
