import { fromBinary } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { HealthStatus, MetadataSchema } from '../../../gen/core.js';
import type { Endpoint } from '../../model/cluster.ts';
import { labelsOf } from '../tls/labels.ts';
import { HEALTH, TRANSPORT_MATCH } from './endpoint.ts';

/**
 * Reads an encoded LbEndpoint field by field: a fifth of what the generated code needs, which makes an object of every
 * message on the way. It knows the endpoints that every control plane sends; whatever else stands in the bytes (another
 * field, a value out of range, bytes that are no message) gives undefined, and the generic decoder says what it is.
 */
export class EndpointReader {
  /** Endpoints of one workload carry the same metadata: read once. */
  #metadata: Uint8Array = new Uint8Array();
  #labels: Labels | undefined = NO_LABELS;

  read(bytes: Uint8Array): Endpoint | undefined {
    try {
      const draft = readLbEndpoint(new BinaryReader(bytes));
      return draft && this.#finish(draft);
    } catch {
      return undefined;
    }
  }

  #finish({ address, port, hostname, health, weight, metadata }: Draft): Endpoint | undefined {
    if (!PLAIN_HOST.test(address) || !PLAIN_HOST_OR_NONE.test(hostname)) return undefined;
    if (port < 1 || port > 65_535 || weight === 0) return undefined;
    const plain: Endpoint = { address, port, health: HEALTH.get(health) ?? 'unknown', weight };
    if (metadata === undefined && hostname === '') return plain;
    const labels = metadata === undefined ? NO_LABELS : this.#labelsOf(metadata);
    return labels && { ...plain, ...(hostname !== '' && { hostname }), ...labels };
  }

  #labelsOf(metadata: Uint8Array): Labels | undefined {
    if (Buffer.compare(metadata, this.#metadata) !== 0) {
      this.#labels = readLabels(metadata);
      this.#metadata = metadata;
    }
    return this.#labels;
  }
}

/** What an LbEndpoint says, field by field. */
interface Draft {
  address: string;
  port: number;
  hostname: string;
  health: number;
  weight: number;
  metadata: Uint8Array | undefined;
}

/** Field number and wire type as one number, as they stand on the wire. */
const LENGTH = WireType.LengthDelimited;
const key = (field: number, wireType: WireType): number => (field << 3) | wireType;
const ENDPOINT = key(1, LENGTH);
const HEALTH_STATUS = key(2, WireType.Varint);
const METADATA = key(3, LENGTH);
const WEIGHT = key(4, LENGTH);
const ADDRESS = key(1, LENGTH);
const HOSTNAME = key(3, LENGTH);
const SOCKET_ADDRESS = key(1, LENGTH);
const HOST = key(2, LENGTH);
const PORT = key(3, WireType.Varint);
const VALUE = key(1, WireType.Varint);

function readLbEndpoint(reader: BinaryReader): Draft | undefined {
  const draft: Draft = {
    address: '',
    port: 0,
    hostname: '',
    health: HealthStatus.UNKNOWN,
    weight: 1,
    metadata: undefined,
  };
  while (reader.pos < reader.len) {
    if (!readField(reader, draft)) return undefined;
  }
  return draft;
}

function readField(reader: BinaryReader, draft: Draft): boolean {
  switch (reader.uint32()) {
    case ENDPOINT:
      // Twice the same message would have to be merged.
      return draft.port === 0 && readInside(reader, draft, readEndpointField);
    case HEALTH_STATUS:
      draft.health = reader.int32();
      return true;
    case METADATA: {
      if (draft.metadata !== undefined) return false;
      draft.metadata = reader.bytes();
      return true;
    }
    case WEIGHT:
      draft.weight = 0;
      return readInside(reader, draft, readWeight);
    default:
      return false;
  }
}

type ReadField = (reader: BinaryReader, draft: Draft) => boolean;

/** The fields of the message that begins here. */
function readInside(reader: BinaryReader, draft: Draft, read: ReadField): boolean {
  const end = reader.uint32() + reader.pos;
  if (end > reader.len) return false;
  while (reader.pos < end) if (!read(reader, draft)) return false;
  return reader.pos === end;
}

function readEndpointField(reader: BinaryReader, draft: Draft): boolean {
  switch (reader.uint32()) {
    case ADDRESS:
      return draft.port === 0 && readInside(reader, draft, readAddress);
    case HOSTNAME:
      draft.hostname = reader.string();
      return true;
    default:
      return false;
  }
}

const readAddress: ReadField = (reader, draft) =>
  reader.uint32() === SOCKET_ADDRESS && draft.port === 0 && readInside(reader, draft, readSocketAddress);

function readSocketAddress(reader: BinaryReader, draft: Draft): boolean {
  switch (reader.uint32()) {
    case HOST:
      draft.address = reader.string();
      return true;
    case PORT:
      draft.port = reader.uint32();
      return true;
    default:
      return false;
  }
}

function readWeight(reader: BinaryReader, draft: Draft): boolean {
  if (reader.uint32() !== VALUE) return false;
  draft.weight = reader.uint32();
  return true;
}

/** Letters, digits, dots, colons: what needs no second look. */
const PLAIN_HOST = /^[\w.:-]+$/;
const PLAIN_HOST_OR_NONE = /^[\w.:-]*$/;

type Labels = Pick<Endpoint, 'hashKey' | 'workload' | 'transportMatch'>;

const NO_LABELS: Labels = {};

function readLabels(bytes: Uint8Array): Labels | undefined {
  const { filterMetadata, typedFilterMetadata, $unknown } = fromBinary(MetadataSchema, bytes);
  if (Object.keys(typedFilterMetadata).length > 0 || ($unknown?.length ?? 0) > 0) return undefined;
  const hashKey = filterMetadata['envoy.lb']?.hash_key;
  const workload = filterMetadata.istio?.workload;
  const transport = filterMetadata[TRANSPORT_MATCH];
  return {
    ...(typeof hashKey === 'string' && { hashKey }),
    ...(typeof workload === 'string' && { workload }),
    ...(transport && { transportMatch: labelsOf(transport) }),
  };
}
