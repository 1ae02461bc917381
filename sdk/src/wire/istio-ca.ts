import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { IstioCertificateRequestSchema, IstioCertificateResponseSchema } from '../../gen/ca.js';
import type { Clock } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { CallControlPlane } from '../discovery/transport.ts';
import { type Channel, type ChannelCredentials, createChannel } from './channel.ts';
import { callUnary, GrpcCallError } from './grpc-call.ts';
import { GRPC } from './grpc-status.ts';

/** One question to a CA that speaks istio.v1.auth; its answer: PEM certificates, the leaf first and the root last. */
export type AskCa = (question: { readonly csr: string; readonly ttlMs: number }) => Promise<readonly string[]>;

const PATH = '/istio.v1.auth.IstioCertificateService/CreateCertificate';

/** Asks a control plane that is reached without an address: it knows who asks. */
export const askInProcess =
  (call: CallControlPlane): AskCa =>
  async (question) =>
    read(await call(PATH, encode(question)));

export interface CaServers {
  /** In order of preference: the next is asked when one cannot be reached. */
  readonly servers: readonly string[];
  readonly credentials: ChannelCredentials;
  readonly clock: Clock;
}

/** Throws MESH_BOOTSTRAP_INVALID when an address cannot be read, or a token would go in plain text to another machine. */
export function askOverNetwork({ servers, credentials, clock }: CaServers): AskCa {
  const channels = servers.map((server) => createChannel(server, credentials));
  const ask = (channel: Channel, request: Uint8Array): Promise<Uint8Array> =>
    callUnary({
      channel,
      path: PATH,
      request,
      clock,
      deadlineMs: defaultOf('identityCallMs'),
      maxMessageBytes: defaultOf('identityAnswerBytes'),
    });
  return async (question) => {
    const request = encode(question);
    let unreachable: unknown = new Error('there is no server to ask');
    for (const channel of channels) {
      try {
        return read(await ask(channel, request));
      } catch (error) {
        if (!(error instanceof GrpcCallError && error.code === GRPC.unavailable)) throw error;
        unreachable = error;
      }
    }
    throw unreachable;
  };
}

const encode = ({ csr, ttlMs }: Parameters<AskCa>[0]): Uint8Array =>
  toBinary(
    IstioCertificateRequestSchema,
    create(IstioCertificateRequestSchema, { csr, validityDuration: BigInt(Math.max(1, Math.round(ttlMs / 1000))) }),
  );

const read = (answer: Uint8Array): readonly string[] => fromBinary(IstioCertificateResponseSchema, answer).certChain;
