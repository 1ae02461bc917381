import { create, toBinary } from '@bufbuild/protobuf';
import type { Clock, Timer } from '@inmesh/sdk/internal/clock';
import { SecretSchema } from '@inmesh/sdk/internal/gen/tls';
import { type Principal, spiffeUriOf } from '../auth/principal.ts';
import type { Authority } from '../ca/authority.ts';
import { IssueRate } from '../ca/issue-rate.ts';
import { defaultOf } from '../defaults.ts';
import { type EncodedResource, encodeResource, type Hash } from '../snapshot/encoded-resource.ts';
import { SECRET_TYPE } from '../translate/resource-types.ts';
import { OWN_SECRET, type OwnSecrets, ROOT_SECRET } from './access.ts';
import type { ClientIdentity } from './client-identity.ts';
import type { Waits } from './session-host.ts';

export interface OwnSecretsParts {
  /** The CA; it is made, with all it loads, when it is first asked for. */
  readonly authority: () => Promise<Authority>;
  readonly clock: Clock;
  readonly hash: Hash;
  /** There is something new to be told. */
  readonly changed: () => void;
  readonly failed: (message: string) => void;
  /** Whether a stream of this node and identity still asks for its certificate. */
  readonly isAsked: (nodeId: string, principal: Principal) => boolean;
}

export interface LiveSecrets extends OwnSecrets {
  /** What is being made is not said not to exist. */
  waits(identity: ClientIdentity): Waits;
  close(): void;
}

interface Entry {
  readonly nodeId: string;
  readonly principal: Principal;
  resource: EncodedResource | undefined;
  timer: Timer | undefined;
}

const HALF = 0.5;
/** Keys that are kept for Envoys which may come back. */
const MOST_KEPT = 10_000;
/** Looked at for one that nobody asks for, when another comes. */
const LOOKED_AT = 16;

export const createOwnSecrets = (parts: OwnSecretsParts): LiveSecrets => new Book(parts);

/** Certificates with keys for proven Envoys: renewed at half of their life, forgotten when nobody asks any more. */
class Book implements LiveSecrets {
  readonly #parts: OwnSecretsParts;
  readonly #entries = new Map<string, Entry>();
  /** A node id is only said: each that somebody makes up would be a key, a signature and a line of the audit log. */
  readonly #rate = new IssueRate({
    perSecond: defaultOf('certificatesPerSecond'),
    burst: defaultOf('certificatesBurst'),
  });
  /** Who was told to be too fast, and has not been served since. */
  readonly #throttled = new Set<string>();
  #again: Timer | undefined;
  /** The CA that the roots come from. */
  #roots: 'unasked' | 'awaited' | 'settled' = 'unasked';
  #isClosed = false;

  constructor(parts: OwnSecretsParts) {
    this.#parts = parts;
  }

  wanted(): void {
    if (this.#roots !== 'unasked') return;
    this.#roots = 'awaited';
    const settled = (): void => {
      this.#roots = 'settled';
      if (!this.#isClosed) this.#parts.changed();
    };
    this.#parts.authority().then(settled, (error: unknown) => {
      this.#fail('the roots of the mesh', error);
      settled();
    });
  }

  svid(nodeId: string, principal: Principal): EncodedResource | undefined {
    const key = keyOf(nodeId, principal);
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      if (!this.#admit(principal)) return undefined;
      this.#makeRoom();
      entry = { nodeId, principal, resource: undefined, timer: undefined };
      this.#entries.set(key, entry);
      void this.#renew(key, entry);
    }
    return entry.resource;
  }

  waits({ id, peer }: ClientIdentity): Waits {
    return (name, _held, found) => {
      if (found !== undefined) return false;
      if (name === ROOT_SECRET) return this.#roots === 'awaited';
      return name === OWN_SECRET && peer.principal !== undefined && this.#entries.has(keyOf(id, peer.principal));
    };
  }

  close(): void {
    this.#isClosed = true;
    this.#again?.cancel();
    for (const { timer } of this.#entries.values()) timer?.cancel();
    this.#entries.clear();
  }

  #admit(principal: Principal): boolean {
    const uri = spiffeUriOf(principal);
    if (this.#rate.admit(uri, this.#parts.clock.now())) {
      this.#throttled.delete(uri);
      return true;
    }
    if (!this.#throttled.has(uri))
      this.#parts.failed(`${uri} asks for more certificates than ${defaultOf('certificatesPerSecond')} a second`);
    this.#throttled.add(uri);
    this.#again ??= this.#parts.clock.after(defaultOf('renewalRetryMs'), () => {
      this.#again = undefined;
      this.#parts.changed();
    });
    return false;
  }

  #makeRoom(): void {
    if (this.#entries.size < MOST_KEPT) return;
    let looked = 0;
    for (const [key, { nodeId, principal, timer, resource }] of this.#entries) {
      if (++looked > LOOKED_AT) return;
      if (resource === undefined || this.#parts.isAsked(nodeId, principal)) continue;
      timer?.cancel();
      this.#entries.delete(key);
      return;
    }
  }

  async #renew(key: string, entry: Entry): Promise<void> {
    const { authority, clock, isAsked, changed } = this.#parts;
    const { nodeId, principal } = entry;
    if (entry.resource !== undefined && !isAsked(nodeId, principal)) {
      this.#entries.delete(key);
      return;
    }
    const uri = spiffeUriOf(principal);
    let waitMs = defaultOf('renewalRetryMs');
    try {
      const requester = { principal: uri, via: principal.via };
      const made = await (await authority()).issueKeyPair({ names: { uris: [uri] }, ttlMs: 0, requester });
      const pem = made.key.export({ type: 'pkcs8', format: 'pem' }).toString();
      entry.resource = encodeResource(SECRET_TYPE, OWN_SECRET, certificateBytes(made.chain, pem), this.#parts.hash);
      waitMs = (made.notAfterMs - clock.wallTime()) * HALF;
      if (!this.#isClosed) changed();
    } catch (error) {
      this.#fail(`the certificate of ${uri}`, error);
    }
    if (!this.#isClosed) entry.timer = clock.after(waitMs, () => void this.#renew(key, entry));
  }

  #fail(what: string, error: unknown): void {
    this.#parts.failed(`${what} cannot be had: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Two Envoys of one service account have a key each. */
const keyOf = (nodeId: string, principal: Principal): string => `${spiffeUriOf(principal)}\n${nodeId}`;

const inline = (pems: readonly string[]) =>
  ({ specifier: { case: 'inlineBytes', value: new TextEncoder().encode(pems.join('\n')) } }) as const;

/** Without the root: who verifies has it (RFC 8446 §4.4.2). */
const certificateBytes = (chain: readonly string[], key: string): Uint8Array =>
  toBinary(
    SecretSchema,
    create(SecretSchema, {
      name: OWN_SECRET,
      type: {
        case: 'tlsCertificate',
        value: { certificateChain: inline(chain.slice(0, -1)), privateKey: inline([key]) },
      },
    }),
  );
