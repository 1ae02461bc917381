import type { Clock, Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { DownstreamTls, UpstreamTls } from '../model/tls.ts';
import type { LiveSecrets, SecretHolder } from './secrets.ts';

/** Who this process is, as far as a configuration waits for it. */
export interface IdentityPart {
  current(): unknown;
  /** Begins to find out, if that has not been done. */
  start?(): void;
  onChange(listener: () => void): () => void;
}

/** What TLS of a configuration is made of beside the configuration itself. */
export interface TlsSources {
  readonly secrets: LiveSecrets;
  /** undefined: this process has no way to one, so nobody waits for it. */
  readonly identity: IdentityPart | undefined;
}

type End = UpstreamTls | DownstreamTls;

/** Names of the secrets that come by SDS. */
export function secretsOf({ certificate, roots }: End): readonly string[] {
  return [certificate, roots].flatMap((source) => (source?.kind === 'secret' ? [source.name] : []));
}

const needsIdentity = ({ certificate, roots }: End): boolean =>
  certificate?.kind === 'identity' || roots.kind === 'mesh';

/**
 * The secrets and the identity that one cluster or listener needs: asked for with it, and waited for, though not for ever.
 * Without them its connections fail, and say so; they come to life when what was missing comes.
 */
export class TlsParts implements SecretHolder {
  readonly #sources: TlsSources;
  readonly #clock: Clock;
  readonly #changed: () => void;
  readonly #held = new Set<string>();
  /** What is waited for. */
  #wanted: readonly End[] = [];
  #due: Timer | undefined;
  #isOverdue = false;
  #stopIdentity: (() => void) | undefined;

  constructor(sources: TlsSources, clock: Clock, changed: () => void) {
    this.#sources = sources;
    this.#clock = clock;
    this.#changed = changed;
  }

  /** All that is named is asked for; only what is in use is waited for. */
  want(named: readonly End[], inUse: Iterable<End>): void {
    const { secrets } = this.#sources;
    const names = new Set(named.flatMap(secretsOf));
    for (const name of names) {
      if (this.#held.has(name)) continue;
      this.#held.add(name);
      secrets.hold(name, this);
      this.#isOverdue = false;
    }
    for (const name of [...this.#held]) {
      if (names.has(name)) continue;
      this.#held.delete(name);
      secrets.release(name, this);
    }
    this.#wanted = [...inUse];
    this.#watchIdentity();
  }

  /** Everything has come, or has had its time. */
  get isWarm(): boolean {
    if (this.#isOverdue || !this.#isMissing()) {
      this.#due?.cancel();
      this.#due = undefined;
      return true;
    }
    this.#due ??= this.#clock.after(defaultOf('tlsPartsWaitMs'), () => {
      this.#due = undefined;
      this.#isOverdue = true;
      this.#changed();
    });
    return false;
  }

  secretChanged(): void {
    this.#changed();
  }

  close(): void {
    this.#due?.cancel();
    this.#stopIdentity?.();
    for (const name of this.#held) this.#sources.secrets.release(name, this);
    this.#held.clear();
  }

  #isMissing(): boolean {
    const { secrets, identity } = this.#sources;
    const isUnknown = identity !== undefined && identity.current() === undefined;
    return this.#wanted.some(
      (tls) => (isUnknown && needsIdentity(tls)) || secretsOf(tls).some((name) => !secrets.isSettled(name)),
    );
  }

  #watchIdentity(): void {
    const { identity } = this.#sources;
    if (identity === undefined || this.#stopIdentity !== undefined || !this.#wanted.some(needsIdentity)) return;
    identity.start?.();
    // Its first state is what is waited for; those after it are the connections' own business.
    this.#stopIdentity = identity.onChange(() => {
      if (this.#due !== undefined) this.#changed();
    });
  }
}
