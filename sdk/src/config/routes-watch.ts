import type { Discovery, ResourceWatcher } from '../discovery/discovery.ts';
import type { RouteConfiguration } from '../model/route.ts';
import { routeConfigurationType } from '../resource/route/route-configuration.ts';
import { routesOfTarget } from '../route/target-host.ts';
import { type Part, PENDING } from './part.ts';

/** The target whose routes are watched. */
export interface RoutesOwner {
  readonly name: string;
  routesChanged(): void;
}

/** RDS of one target. Routes that were known stay when they are taken back or a newer version is bad (Envoy RDS): the listener decides. */
export class RoutesWatch implements ResourceWatcher<RouteConfiguration> {
  readonly name: string;
  routes: Part<RouteConfiguration> = PENDING;
  readonly #owner: RoutesOwner;
  readonly #discovery: Discovery;

  constructor(name: string, owner: RoutesOwner, discovery: Discovery) {
    this.name = name;
    this.#owner = owner;
    this.#discovery = discovery;
    discovery.subscribe(routeConfigurationType, name, this);
  }

  close(): void {
    this.#discovery.unsubscribe(routeConfigurationType, this.name, this);
  }

  onResource(value: RouteConfiguration): void {
    this.routes = { kind: 'value', value: routesOfTarget(value, this.#owner.name) };
    this.#owner.routesChanged();
  }

  onAbsent(reason: string): void {
    this.#miss({ kind: 'absent', reason });
  }

  onError(reason: string): void {
    this.#miss({ kind: 'bad', reason });
  }

  #miss(part: Part<RouteConfiguration>): void {
    if (this.routes.kind === 'value') return;
    this.routes = part;
    this.#owner.routesChanged();
  }
}
