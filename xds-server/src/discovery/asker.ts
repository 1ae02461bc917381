import type { Node } from '@inmesh/sdk/internal/gen/core';
import type { EncodedResource } from '../snapshot/encoded-resource.ts';
import type { Lookup } from '../snapshot/lookup.ts';
import { type ClientIdentity, clientIdentity } from './client-identity.ts';
import { type EntryStyle, isUnwrapping, keepsTime } from './entry-style.ts';
import { type Find, NOT_YET } from './not-yet.ts';
import type { Peer } from './peer.ts';
import type { SessionHost, Waits } from './session-host.ts';

/** Who asks on a stream, and what was made for it as it is: how its resources are found and how they are dressed. */
export class Asker {
  readonly #method: 'delta' | 'sotw';
  readonly #peer: Peer;
  readonly #host: SessionHost;
  readonly #node: Node;
  #identity: ClientIdentity;
  readonly #lookups = new Map<string, Lookup>();
  readonly #styles = new Map<string, EntryStyle>();

  constructor(node: Node, method: 'delta' | 'sotw', peer: Peer, host: SessionHost) {
    this.#method = method;
    this.#peer = peer;
    this.#host = host;
    this.#node = node;
    this.#identity = this.#identify();
  }

  /** As the client wrote it. */
  get node(): Node {
    return this.#node;
  }

  get identity(): ClientIdentity {
    return this.#identity;
  }

  /** Reads the labels of its Pod anew; whether they are others. */
  relabel(): boolean {
    if (this.#peer.principal?.pod === undefined) return false;
    const identity = this.#identify();
    if (identity.podLabels === this.#identity.podLabels) return false;
    this.#identity = identity;
    this.#lookups.clear();
    this.#styles.clear();
    return true;
  }

  lookup(typeUrl: string): Lookup {
    const lookup = this.#lookups.get(typeUrl) ?? this.#host.lookup(this.#identity, typeUrl);
    this.#lookups.set(typeUrl, lookup);
    return lookup;
  }

  /** `lookup`, with what must wait for now. */
  find(typeUrl: string): Find<EncodedResource> {
    const waits = this.#host.waits(this.#identity, typeUrl);
    return waits === undefined ? this.lookup(typeUrl) : patient(this.lookup(typeUrl), waits);
  }

  style(typeUrl: string): EntryStyle {
    const style = this.#styles.get(typeUrl) ?? {
      isWrapped: isUnwrapping(this.#node),
      ttlMs: this.ttlMs(typeUrl),
      absence: (name) => this.#absence(typeUrl, name),
    };
    this.#styles.set(typeUrl, style);
    return style;
  }

  /** Of what it is sent; undefined: for ever. */
  ttlMs(typeUrl: string): number | undefined {
    return keepsTime(this.#method, this.#identity.view.kind, this.#node) ? this.#host.ttlMs?.(typeUrl) : undefined;
  }

  #identify(): ClientIdentity {
    return clientIdentity(this.#node, this.#peer, this.#host.podLabels?.(this.#peer));
  }

  #absence(typeUrl: string, name: string): string | undefined {
    const { kind } = this.#identity.view;
    // Envoy has no use for it.
    const why = kind === 'envoy' ? undefined : this.#host.absence?.(this.#identity, typeUrl, name);
    if (why !== undefined || kind !== 'grpc' || this.#method === 'delta') return why;
    // That there is none, a gRPC client is told of routes and endpoints in no other way; delta says it by itself.
    return `nothing of this type is served as "${name.slice(0, 200)}"`;
  }
}

const patient =
  (lookup: Lookup, waits: Waits): Find<EncodedResource> =>
  (name, held) => {
    const found = lookup(name);
    return waits(name, held, found) ? NOT_YET : found;
  };
