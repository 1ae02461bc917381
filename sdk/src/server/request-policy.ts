import type { FaultAbort } from '../call/fault/fault.ts';
import { Injection } from '../call/fault/injection.ts';
import type { Clock, Random } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { FaultPolicy } from '../model/action.ts';
import { faultOver } from '../model/fault-chain.ts';
import type { InboundListener, InboundRequests } from '../model/inbound.ts';
import type { MeshRequest } from '../model/request.ts';
import type { RouteConfiguration } from '../model/route.ts';
import { compileRouteTable, compileRouteTableSteps } from '../route/compile.ts';
import { decide } from '../route/decide.ts';
import type { Decision, RouteTable } from '../route/table.ts';
import { runSliced } from '../upstream/slices.ts';
import { codeOfHttpStatus, GRPC } from '../wire/grpc-status.ts';
import { isOpen } from './open-requests.ts';
import type { Refusal } from './refusals.ts';

export interface RequestPolicyParts {
  readonly clock: Clock;
  readonly random: Random;
  /** A request that no route takes is refused (gRFC A36). */
  readonly isGrpc: boolean;
}

export interface Judged {
  pass(): void;
  refuse(refusal: Refusal): void;
}

/** What the listener's routes and faults do to a request before the application hears of it. */
export class RequestPolicy {
  readonly #parts: RequestPolicyParts;

  constructor(parts: RequestPolicyParts) {
    this.#parts = parts;
  }

  /** Compiles in slices what requests would otherwise wait for. */
  prepare({ chains }: InboundListener): void {
    const { clock, isGrpc } = this.#parts;
    for (const { requests } of chains) {
      if (requests?.routes.kind !== 'inline' || isOpen(requests, isGrpc)) continue;
      const { routeConfiguration } = requests.routes;
      if (tables.has(routeConfiguration)) continue;
      const steps = compileRouteTableSteps(routeConfiguration);
      const done = (table: RouteTable) => void tables.set(routeConfiguration, table);
      // The first request that meets it has the error too.
      runSliced({ clock, sliceMs: defaultOf('sliceMs'), steps, done, failed: () => {} });
    }
  }

  /** Possibly at once. The result gives back what a fault counts, and ends its delay. */
  judge(requests: InboundRequests, request: MeshRequest, on: Judged): () => void {
    const found = this.#route(requests, request);
    if ('refusal' in found) {
      on.refuse(found.refusal);
      return noop;
    }
    if (found.fault === undefined) {
      on.pass();
      return noop;
    }
    const parts = { policy: found.fault, request, cluster: '', runtime: this.#parts };
    const injection = new Injection(parts, {
      raise: noop,
      goOn: () => on.pass(),
      abort: (abort) => on.refuse(abortRefusal(abort)),
    });
    injection.begin();
    return () => injection.close();
  }

  #route(
    { routes, fault }: InboundRequests,
    request: MeshRequest,
  ): { readonly fault: FaultPolicy | undefined } | { readonly refusal: Refusal } {
    const { isGrpc, random } = this.#parts;
    if (routes.kind !== 'inline') return isGrpc ? { refusal: NO_ROUTES } : { fault };
    const stays = staysIn(decide(tableOf(routes.routeConfiguration), request, random));
    if (stays === undefined && isGrpc) return { refusal: NO_ROUTE };
    return { fault: faultOver(fault, stays?.fault) };
  }
}

/** By configuration, which many listeners may share. */
const tables = new WeakMap<RouteConfiguration, RouteTable>();

function tableOf(config: RouteConfiguration): RouteTable {
  const known = tables.get(config);
  if (known !== undefined) return known;
  const table = compileRouteTable(config);
  tables.set(config, table);
  return table;
}

const staysIn = (decision: Decision): { readonly fault?: FaultPolicy } | undefined =>
  decision.kind === 'route' && decision.action.kind === 'refuse' ? decision.action.stays : undefined;

const noop = (): void => {};

const NO_ROUTE: Refusal = {
  status: 404,
  grpcStatus: GRPC.unavailable,
  body: 'the request did not match a route of the server',
};

const NO_ROUTES: Refusal = {
  status: 503,
  grpcStatus: GRPC.unavailable,
  body: 'the routes of the server are not known',
};

/** gRFC A33: the status of HTTP by gRPC's own mapping. */
const abortRefusal = ({ status, grpcStatus }: FaultAbort): Refusal => ({
  status,
  grpcStatus: grpcStatus ?? codeOfHttpStatus(status),
  body: 'fault filter abort',
});
