import type { ServerSide } from '../mesh/server-side.ts';
import type { InboundListener } from '../model/inbound.ts';
import type { Registration } from '../options.ts';
import { acceptsMutualTls, needsIdentity } from './chain.ts';
import type { GuardOptions } from './options.ts';

/** What the mesh is told of a guarded server: that it is an endpoint of its service, and whether it takes mutual TLS. */
export class Announcement {
  readonly #side: Pick<ServerSide, 'register' | 'unregister' | 'hasIdentity'>;
  readonly #options: GuardOptions;
  #current: Registration | undefined;

  constructor(side: Pick<ServerSide, 'register' | 'unregister' | 'hasIdentity'>, options: GuardOptions) {
    this.#side = side;
    this.#options = options;
  }

  /** Callers expect a certificate once it is there, and come once they could be served. */
  follow(listener: InboundListener | undefined, port: number): void {
    const { service, version, labels, address } = this.#options;
    if (service === undefined || listener === undefined) return;
    const isMutual = acceptsMutualTls(listener) && this.#side.hasIdentity();
    if (needsIdentity(listener) && !isMutual) {
      this.withdraw();
      return;
    }
    if (this.#current?.port === port && (this.#current.tls === 'istio') === isMutual) return;
    this.#current = {
      service,
      port,
      ...(version !== undefined && { version }),
      ...(labels && { labels }),
      ...(address !== undefined && { address }),
      ...(isMutual && { tls: 'istio' }),
    };
    this.#side.register(this.#current);
  }

  withdraw(): void {
    const before = this.#current;
    this.#current = undefined;
    if (before !== undefined) this.#side.unregister(before);
  }
}
