import type { Discovery, ResourceWatcher } from '../discovery/discovery.ts';
import type { InboundListener, InboundRequests } from '../model/inbound.ts';
import type { RouteConfiguration } from '../model/route.ts';
import { routeConfigurationType } from '../resource/route/route-configuration.ts';
import { type Part, PENDING } from './part.ts';

/** The route configurations that a server's listener names (gRFC A36: HttpConnectionManager.rds). */
export class InboundRoutes {
  readonly #discovery: Discovery;
  readonly #changed: (missing?: string) => void;
  readonly #watches = new Map<string, Watch>();

  /** `missing`: nothing usable has come, and this is why. */
  constructor(discovery: Discovery, changed: (missing?: string) => void) {
    this.#discovery = discovery;
    this.#changed = changed;
  }

  /** Asks for what these listeners name, and for nothing else any more. */
  want(listeners: readonly (InboundListener | undefined)[]): void {
    const names = new Set(listeners.flatMap((listener) => (listener === undefined ? [] : namesIn(listener))));
    for (const name of names) {
      if (!this.#watches.has(name)) this.#watches.set(name, new Watch(name, this.#discovery, this.#changed));
    }
    for (const [name, watch] of this.#watches) {
      if (names.has(name)) continue;
      watch.close();
      this.#watches.delete(name);
    }
  }

  /** Nothing is known yet of one that it names. */
  isWaiting(listener: InboundListener): boolean {
    return namesIn(listener).some((name) => this.#watches.get(name)?.part.kind === 'pending');
  }

  /** The listener with its routes in it. What did not come takes its requests with it, not the whole port (gRFC A36). */
  join(listener: InboundListener): InboundListener {
    if (namesIn(listener).length === 0) return listener;
    const chains = listener.chains.map((chain) => {
      const { requests } = chain;
      if (requests?.routes.kind !== 'rds') return chain;
      return { ...chain, requests: { ...requests, routes: this.#routes(requests.routes.routeConfigurationName) } };
    });
    return { ...listener, chains };
  }

  close(): void {
    this.want([]);
  }

  #routes(name: string): InboundRequests['routes'] {
    const part = this.#watches.get(name)?.part ?? PENDING;
    if (part.kind === 'value') return { kind: 'inline', routeConfiguration: part.value };
    const reason = part.kind === 'pending' ? 'nothing has come' : part.reason;
    return { kind: 'missing', reason: `route configuration "${name}": ${reason}` };
  }
}

const namesIn = ({ chains }: InboundListener): readonly string[] =>
  chains.flatMap(({ requests }) => (requests?.routes.kind === 'rds' ? [requests.routes.routeConfigurationName] : []));

/** Routes that were known stay when they are taken back or a newer version is bad, as those of a client do. */
class Watch implements ResourceWatcher<RouteConfiguration> {
  part: Part<RouteConfiguration> = PENDING;
  readonly #name: string;
  readonly #discovery: Discovery;
  readonly #changed: (missing?: string) => void;

  constructor(name: string, discovery: Discovery, changed: (missing?: string) => void) {
    this.#name = name;
    this.#discovery = discovery;
    this.#changed = changed;
    discovery.subscribe(routeConfigurationType, name, this);
  }

  close(): void {
    this.#discovery.unsubscribe(routeConfigurationType, this.#name, this);
  }

  onResource(value: RouteConfiguration): void {
    this.part = { kind: 'value', value };
    this.#changed();
  }

  onAbsent(reason: string): void {
    this.#miss({ kind: 'absent', reason });
  }

  onError(reason: string): void {
    this.#miss({ kind: 'bad', reason });
  }

  #miss(part: Exclude<Part<RouteConfiguration>, { kind: 'pending' | 'value' }>): void {
    if (this.part.kind === 'value') return;
    this.part = part;
    this.#changed(`route configuration "${this.#name}": ${part.reason}`);
  }
}
