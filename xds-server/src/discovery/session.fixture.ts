import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from '@inmesh/sdk/internal/gen/discovery';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { type EncodedResource, encodeResource } from '../snapshot/encoded-resource.ts';
import type { ClientIdentity } from './client-identity.ts';
import { Session } from './session.ts';
import type { SessionHost, StreamLimits, Waits } from './session-host.ts';

export const NODE = { id: 'web-1' };

const GENEROUS: StreamLimits = {
  requestBytes: 1_000_000,
  requestFields: 100_000,
  nodeBytes: 100_000,
  reasonLength: 1_000,
  namesPerStream: 100,
  typesPerStream: 32,
  nameLength: 1_000,
  names: { perSecond: 1_000, burst: 10_000 },
};

export interface Heard {
  readonly type: string;
  readonly nonce: string;
  readonly version: string;
  /** `name=content` in the order they came; SotW resources have no name, their content stands alone. */
  readonly resources: readonly string[];
  readonly removed: readonly string[];
}

/** A session at a server of plain texts: `world` holds them by `type/name`, what the peer hears is decoded. */
export function scripted(
  method: 'delta' | 'sotw',
  limits: Partial<StreamLimits> = {},
  more: Partial<SessionHost> = {},
) {
  const world = new Map<string, string>();
  const heard: Heard[] = [];
  const warnings: string[] = [];
  const identities: ClientIdentity[] = [];
  let ended: { code: number; message: string } | undefined;
  let isSlow = false;
  let isPaused = false;
  let waits: Waits | undefined;
  const clock = createFakeClock();
  let revision = 1;
  const host: SessionHost = {
    clock,
    limits: { ...GENEROUS, ...limits },
    waits: () => waits,
    throttled: (_session, waitMs) => warnings.push(`throttled ${waitMs}`),
    refused: () => {},
    lookup: (_identity, type) => (name) => textResource(type, name, world.get(`${type}/${name}`)),
    identified: (_session, identity) => identities.push(identity),
    due: () => {},
    warn: (_session, message) => warnings.push(message),
    answered: () => {},
    revision: () => String(revision),
    ...more,
  };
  const raw: Buffer[] = [];
  const link = {
    send(bytes: Buffer) {
      raw.push(bytes);
      heard.push(method === 'delta' ? readDelta(bytes) : readSotw(bytes));
      return !isSlow;
    },
    pause: () => {
      isPaused = true;
    },
    resume: () => {
      isPaused = false;
    },
    end: (code: number, message: string) => {
      ended = { code, message };
    },
  };
  const session = new Session(method, link, host);
  return {
    session,
    world,
    warnings,
    /** The bytes of all that was heard. */
    raw,
    identities,
    ended: () => ended,
    clock,
    isPaused: () => isPaused,
    /** Answers that must wait from now on. */
    hold(rule: Waits | undefined) {
      waits = rule;
      session.changed();
    },
    slow(value: boolean) {
      isSlow = value;
      if (!value) session.drained();
    },
    /** What was heard since the last time. */
    take: (): Heard[] => {
      session.serve();
      return heard.splice(0);
    },
    /** A newer snapshot: entries of `type/name`; undefined takes one away. */
    change(entries: Readonly<Record<string, string | undefined>>) {
      revision++;
      for (const [key, text] of Object.entries(entries)) {
        if (text === undefined) world.delete(key);
        else world.set(key, text);
      }
      session.changed();
    },
    delta(fields: MessageInitShape<typeof DeltaDiscoveryRequestSchema>) {
      session.receive(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, fields)));
    },
    sotw(fields: MessageInitShape<typeof DiscoveryRequestSchema>) {
      session.receive(toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, fields)));
    },
  };
}

/** A resource whose body and version are a text. */
export const textResource = (type: string, name: string, text: string | undefined): EncodedResource | undefined =>
  text === undefined ? undefined : encodeResource(type, name, Buffer.from(text), () => `v:${text}`);

const text = (any: { readonly value: Uint8Array } | undefined): string => Buffer.from(any?.value ?? []).toString();

function readDelta(bytes: Uint8Array): Heard {
  const message = fromBinary(DeltaDiscoveryResponseSchema, bytes);
  return {
    type: message.typeUrl,
    nonce: message.nonce,
    version: message.systemVersionInfo,
    resources: message.resources.map(({ name, resource }) => `${name}=${text(resource)}`),
    removed: message.removedResources,
  };
}

function readSotw(bytes: Uint8Array): Heard {
  const message = fromBinary(DiscoveryResponseSchema, bytes);
  return {
    type: message.typeUrl,
    nonce: message.nonce,
    version: message.versionInfo,
    resources: message.resources.map(text),
    removed: [],
  };
}
