import { SDK_VERSION } from '../bootstrap/version.ts';
import { defaultOf } from '../defaults.ts';
import { MeshError } from '../errors.ts';
import { ALGORITHMS, type Algorithm } from './algorithms.ts';

/** What the channel obeys of grpc-js's channel options; the others say what the resources of the mesh say here. */
export interface ChannelSettings {
  readonly maxReceiveBytes: number;
  readonly maxSendBytes: number;
  readonly algorithm: Algorithm;
  readonly userAgent: string;
  readonly authority: string | undefined;
  /** Of the application, by `grpc.enable_retries: 0`; the route's own policy is left out then. */
  readonly retries: boolean;
  /** By channelz, unless `grpc.enable_channelz: 0`. */
  readonly isListed: boolean;
}

/** What a Buffer can hold, and more than gRPC's four bytes of length may say on 32 bits. */
const UNLIMITED = 2 ** 31 - 1;

/** Throws MESH_CONFIG_INVALID for an option that is there and cannot be read. */
export function readOptions(given: object): ChannelSettings {
  const options = new Map<string, unknown>(Object.entries(given));
  const words = [
    options.get('grpc.primary_user_agent'),
    `grpc-inmesh/${SDK_VERSION}`,
    options.get('grpc.secondary_user_agent'),
  ];
  const authority = options.get('grpc.default_authority');
  return {
    maxReceiveBytes: bytesOf(options, 'grpc.max_receive_message_length', defaultOf('grpcMaxReceiveBytes')),
    maxSendBytes: bytesOf(options, 'grpc.max_send_message_length', UNLIMITED),
    algorithm: algorithmOf(options.get('grpc.default_compression_algorithm')),
    userAgent: words.filter((word) => typeof word === 'string' && word !== '').join(' '),
    authority: typeof authority === 'string' ? authority : undefined,
    retries: options.get('grpc.enable_retries') !== 0,
    isListed: options.get('grpc.enable_channelz') !== 0,
  };
}

/** -1: no limit. */
function bytesOf(options: ReadonlyMap<string, unknown>, name: string, fallback: number): number {
  const value = options.get(name);
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || Number.isNaN(value)) {
    throw new MeshError('MESH_CONFIG_INVALID', `channel option ${name}: "${String(value)}" is no number of bytes`);
  }
  return value < 0 ? UNLIMITED : Math.min(value, UNLIMITED);
}

function algorithmOf(value: unknown): Algorithm {
  const algorithm = ALGORITHMS[value === undefined ? 0 : Number(value)];
  if (algorithm !== undefined) return algorithm;
  const what = `channel option grpc.default_compression_algorithm: "${String(value)}" is none of 0 (identity), 1 (deflate), 2 (gzip)`;
  throw new MeshError('MESH_CONFIG_INVALID', what);
}
