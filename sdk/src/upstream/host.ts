import { addressText, hashKeyOf } from '../balancer/hash-key.ts';
import type { ReportedWeight } from '../balancer/load-weight.ts';
import type { Endpoint, Health, Locality } from '../model/cluster.ts';
import type { HealthState } from './health/state.ts';
import type { OutlierRecord } from './outlier/record.ts';

/** How far a host can be used: degraded ones take what healthy ones cannot, the others only a panicking priority's. */
export type Availability = 'healthy' | 'degraded' | 'out';

/**
 * One host of an upstream: the same object from the first update that names its address to the last. It may carry
 * state of others in their WeakMaps.
 */
export interface Host {
  readonly address: string;
  readonly port: number;
  /** Requests between `pick` and `release`. */
  readonly active: number;
  /** Picked since the host came. */
  readonly requests: number;
  /** Outcomes that were an error or a 5xx. */
  readonly failures: number;
  readonly endpoint: Endpoint;
  readonly locality: Locality;
  readonly priority: number;
  /** No longer among the upstream's endpoints; what runs on it may end. */
  readonly removed: boolean;
}

/** What a reader of `explain` sees of a host. */
export interface HostView {
  /** `address:port`. */
  readonly address: string;
  /** Of an aggregate: which of its clusters it belongs to. */
  readonly cluster?: string;
  /** `region/zone/subzone`, as far as given. */
  readonly locality: string;
  readonly priority: number;
  readonly state: 'healthy' | 'degraded' | 'draining' | 'unhealthy' | 'timeout' | 'ejected';
  /** Why it is not healthy. */
  readonly reason?: string;
  readonly activeRequests: number;
  readonly weight: number;
  /** What it reports of its load makes this weight; 0: nothing that counts now. Only where hosts are weighed by it. */
  readonly loadWeight?: number;
}

/** Where a host stands in its assignment. */
export interface Place {
  readonly locality: Locality;
  readonly priority: number;
}

/** How an assignment is read, and when. */
export interface Reading {
  readonly useHostname: boolean;
  readonly nowMs: number;
}

/** Host as its upstream changes it. What its endpoint says is not said again: there are many hosts. */
export class LiveHost implements Host {
  active = 0;
  requests = 0;
  failures = 0;
  removed = false;
  endpoint: Endpoint;
  availability: Availability = 'healthy';
  /** Of outlier detection; undefined while it has seen nothing of the host. */
  outlier: OutlierRecord | undefined;
  /** Of active health checks; undefined where there are none. */
  check: HealthState | undefined;
  /** By what it says of its load, where that is asked for. */
  reported: ReportedWeight | undefined;
  /** Of a cluster that keeps to one host: this one. */
  isKept = false;
  #place: Place;
  #useHostname = false;
  #firstHealthyMs: number | undefined;

  constructor(endpoint: Endpoint, place: Place) {
    this.endpoint = endpoint;
    this.#place = place;
  }

  get address(): string {
    return this.endpoint.address;
  }

  get port(): number {
    return this.endpoint.port;
  }

  get weight(): number {
    return Math.max(1, this.endpoint.weight);
  }

  get locality(): Locality {
    return this.#place.locality;
  }

  get priority(): number {
    return this.#place.priority;
  }

  /** Made when a table asks for it, once: most clusters never do, and there are many hosts. */
  get hashKey(): string {
    return hashKeyOf(this.endpoint, this.#useHostname);
  }

  /** A host starts slowly once, when it is first healthy: it may be ill for a while and come back (as in Envoy). */
  get healthySinceMs(): number | undefined {
    return this.availability === 'healthy' ? this.#firstHealthyMs : undefined;
  }

  /** Takes over what the control plane says now; counters stay. */
  adopt(endpoint: Endpoint, place: Place, { useHostname, nowMs }: Reading): void {
    this.endpoint = endpoint;
    this.#place = place;
    this.#useHostname = useHostname;
    this.settle(nowMs);
  }

  /** What its endpoint, its ejection and its health checks say together; `nowMs` where it may be healthy for the first time. */
  settle(nowMs?: number): void {
    this.availability = availabilityOf(this.status);
    if (this.availability === 'healthy' && nowMs !== undefined) this.#firstHealthyMs ??= Math.floor(nowMs);
  }

  /** Envoy Host::healthStatus */
  get status(): Health {
    if (this.outlier?.ejection.isEjected === true || this.check?.isHealthy === false) return 'unhealthy';
    const { health } = this.endpoint;
    return this.check?.isDegraded === true && availabilityOf(health) === 'healthy' ? 'degraded' : health;
  }
}

/** Envoy core.v3.HealthStatus as EDS gives it: DRAINING and TIMEOUT count as unhealthy. */
const availabilityOf = (health: Health): Availability =>
  health === 'unknown' || health === 'healthy' ? 'healthy' : health === 'degraded' ? 'degraded' : 'out';

export function viewOf(host: LiveHost): HostView {
  const { locality, priority, active, weight } = host;
  return {
    address: addressText(host),
    locality: [locality.region, locality.zone, locality.subZone].filter(Boolean).join('/'),
    priority,
    ...conditionOf(host),
    activeRequests: active,
    weight,
  };
}

function conditionOf({ endpoint: { health }, outlier, check }: LiveHost): Pick<HostView, 'state' | 'reason'> {
  if (outlier?.ejection.isEjected === true && outlier.last !== undefined) {
    const { reason, untilWallMs } = outlier.last;
    return { state: 'ejected', reason: `${reason}, until ${new Date(untilWallMs).toISOString()}` };
  }
  if (check?.isHealthy === false) return { state: 'unhealthy', reason: `health check: ${check.reason}` };
  if (health === 'unknown' || health === 'healthy') {
    if (check?.isDegraded === true) return { state: 'degraded', reason: 'health check: it says so itself' };
    return { state: 'healthy' };
  }
  return { state: health, reason: `the control plane reports it ${health}` };
}
