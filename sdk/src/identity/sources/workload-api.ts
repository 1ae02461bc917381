import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import type { Clock, Random, Timer } from '../../clock.ts';
import { defaultOf } from '../../defaults.ts';
import { createChannel } from '../../wire/channel.ts';
import { GRPC, type GrpcStatus } from '../../wire/grpc-status.ts';
import { type GrpcStream, openGrpcStream } from '../../wire/grpc-stream.ts';
import {
  FETCH_X509_SVID,
  readWorkloadIdentities,
  WORKLOAD_METADATA,
  type WorkloadIdentities,
} from '../../wire/workload-api.ts';
import { createBundles } from '../bundles.ts';
import type { IdentitySource, SourceListener, SourceState } from '../source.ts';
import { parseSpiffeId } from '../spiffe-id.ts';
import { readSvid } from '../svid.ts';

export interface WorkloadApiParts {
  /** `unix:///PATH` or `tcp://IP:PORT` (SPIFFE Workload Endpoint §4). */
  readonly address: string;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * The SPIFFE Workload API: certificate, key, roots, roots of federated trust domains and revocation lists, all of them from an
 * agent that knows by itself who asks, and that sends new ones in time. Throws MESH_BOOTSTRAP_INVALID for an address that
 * cannot be read.
 */
export const createWorkloadApiSource = (parts: WorkloadApiParts): IdentitySource => new WorkloadApiSource(parts);

class WorkloadApiSource implements IdentitySource {
  readonly kind = 'workload-api';
  readonly from: string;
  readonly hasWholeBundles = true;
  readonly #parts: WorkloadApiParts;
  readonly #channel: ReturnType<typeof createChannel>;
  #on: SourceListener | undefined;
  #stream: GrpcStream | undefined;
  #timer: Timer | undefined;
  /** Since the last answer. */
  #failures = 0;
  #isClosed = false;

  constructor(parts: WorkloadApiParts) {
    this.#parts = parts;
    this.from = `Workload API ${parts.address}`;
    this.#channel = createChannel(parts.address.replace(/^tcp:\/\//, ''));
  }

  start(on: SourceListener): void {
    this.#on = on;
    this.#open();
  }

  /** Whoever waits to try again need not. */
  nudge(): void {
    if (this.#timer === undefined || this.#isClosed) return;
    this.#timer.cancel();
    this.#open();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#stream?.close();
  }

  #open(): void {
    this.#timer = undefined;
    const stream = openGrpcStream(
      {
        channel: this.#channel,
        path: FETCH_X509_SVID,
        kind: 'call',
        clock: this.#parts.clock,
        maxMessageBytes: defaultOf('identityAnswerBytes'),
        metadata: WORKLOAD_METADATA,
        pingIntervalMs: defaultOf('workloadApiPingMs'),
      },
      {
        message: (bytes) => this.#take(bytes),
        close: (status) => this.#lost(status),
      },
    );
    this.#stream = stream;
    // X509SVIDRequest has no fields.
    stream.send(new Uint8Array(0));
    stream.end();
  }

  #take(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    this.#failures = 0;
    const state = stateOf(bytes);
    if (typeof state === 'string') this.#on?.failed(`the agent's answer cannot be used: ${state}`);
    else this.#on?.found(state);
  }

  #lost({ code, message }: GrpcStatus): void {
    if (this.#isClosed) return;
    this.#stream = undefined;
    const delay = this.#delayMs();
    this.#failures += 1;
    this.#timer = this.#parts.clock.after(delay, () => this.#open());
    this.#on?.failed(reasonOf(code, message));
  }

  /** As for every other source: half a second, doubled, up to two and a half minutes, each ± 20 %. */
  #delayMs(): number {
    const delay = defaultOf('identityRetryMs') * 2 ** Math.min(this.#failures, 20);
    const share = this.#parts.random() / 0x1_0000_0000;
    return Math.min(delay, defaultOf('identityRetryMaxMs')) * (0.8 + 0.4 * share);
  }
}

function reasonOf(code: number, message: string): string {
  // SPIFFE Workload API §5.1: nobody has registered this process (yet).
  if (code === GRPC.permissionDenied) return `the agent has no identity for this process: ${message}`;
  return `the agent ended the stream (gRPC status ${code}): ${message}`;
}

/** What an answer says, or what is wrong with it. */
function stateOf(bytes: Uint8Array): SourceState | string {
  try {
    const answer = readWorkloadIdentities(bytes);
    const [first] = answer.svids;
    if (first === undefined) return 'there is no SVID in it';
    const svid = readSvid(pemOf(first.certificates), keyOf(first.key));
    if (typeof svid === 'string') return svid;
    const told = parseSpiffeId(first.id);
    if (typeof told === 'string' || told.uri !== svid.id.uri)
      return `it says ${JSON.stringify(first.id.slice(0, 256))}, its certificate ${svid.id.uri}`;
    return { svid, bundles: bundlesOf(answer, svid.id.trustDomain, first.bundle) };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function bundlesOf({ federated, revocationLists }: WorkloadIdentities, own: string, bundle: Uint8Array) {
  const others = [...federated].flatMap(([name, roots]): [string, string[]][] => {
    // By id of the trust domain (§6.1), in old agents without the scheme.
    const id = parseSpiffeId(name.startsWith('spiffe://') ? name : `spiffe://${name}`);
    // Ours are in the answer by themselves; whoever else is named like us has no say.
    if (typeof id === 'string' || id.path !== '' || id.trustDomain === own) return [];
    return [[id.trustDomain, [pemOf(roots)]]];
  });
  return createBundles([[own, [pemOf(bundle)]], ...others], revocationLists.map(revocationPem));
}

/** Certificates of one answer: chains are short, bundles hold a root or two for each change of roots. */
const MOST_CERTIFICATES = 1_000;

/** Node reads the first of certificates that stand one after the other, and tells how long it was. */
function pemOf(der: Uint8Array): string {
  const blocks: string[] = [];
  let rest = der;
  while (rest.length > 0) {
    if (blocks.length === MOST_CERTIFICATES)
      throw new Error(`there are more than ${MOST_CERTIFICATES} certificates in it`);
    const certificate = new X509Certificate(rest);
    blocks.push(certificate.toString());
    rest = rest.subarray(certificate.raw.length);
  }
  return blocks.join('');
}

function keyOf(der: Uint8Array): KeyObject {
  try {
    return createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
  } catch {
    throw new Error('its key cannot be read');
  }
}

const revocationPem = (der: Uint8Array): string =>
  `-----BEGIN X509 CRL-----\n${Buffer.from(der)
    .toString('base64')
    .replace(/(.{64})(?=.)/g, '$1\n')}\n-----END X509 CRL-----\n`;
