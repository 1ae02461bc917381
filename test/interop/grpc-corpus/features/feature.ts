import type { Seen } from '../../grpc-peers/backend.ts';
import type { PeerAnswer, PeerCall } from '../../grpc-peers/peer.ts';
import type { PeerKind } from '../../grpc-peers/peers.ts';

/**
 * What calls come to: a backend's name, `!STATUS`, or several of these with `|` between, in order, each of which must be met;
 * a function looks closer.
 */
export type Want = string | ((told: readonly Told[]) => void);

export interface Told extends PeerAnswer {
  /** What the backend saw. */
  readonly seen?: Seen;
}

export interface Ask extends PeerCall {
  /** `echo:7070` of the feature's own namespace where absent; `NS` stands for that. */
  readonly target?: string;
  readonly want: Want;
  /** Of those that do otherwise. */
  readonly except?: Partial<Readonly<Record<PeerKind, Want>>>;
}

/** One thing Istio can do, in a namespace of its own: what is written, and what calls come to. */
export interface Feature {
  readonly name: string;
  /** Beside the service `echo` of three versions; `NS` stands for the namespace, `PORT1` … for what v1 … listen on. */
  readonly yaml: string;
  /** The service `echo` and its workloads are the feature's own. */
  readonly isBare?: boolean;
  readonly asks: readonly Ask[];
}

const object = (apiVersion: string, kind: string, name: string, spec: string): string =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: ${name}, namespace: NS}\nspec: {${spec}}\n---\n`;

const ISTIO = 'networking.istio.io/v1';

export const virtualService = (spec: string, name = 'echo'): string => object(ISTIO, 'VirtualService', name, spec);
export const destinationRule = (spec: string, name = 'echo-more'): string =>
  object(ISTIO, 'DestinationRule', name, spec);
export const serviceEntry = (spec: string, name = 'entry'): string => object(ISTIO, 'ServiceEntry', name, spec);
export const callPolicy = (spec: string): string => object('inmesh.io/v1alpha1', 'CallPolicy', 'echo', spec);
export const workloadEntry = (spec: string, name: string): string => object(ISTIO, 'WorkloadEntry', name, spec);
export const service = (spec: string, name = 'echo'): string => object('v1', 'Service', name, spec);

/** Routes of the host `echo`. */
export const http = (...routes: readonly string[]): string =>
  virtualService(`hosts: [echo], http: [${routes.join(', ')}]`);

/** `route: …` to one version. */
export const to = (subset: string): string => `route: [{destination: {host: echo, subset: ${subset}}}]`;

/** To v2 where it matches, to v1 otherwise. */
export const matching = (...matches: readonly string[]): string =>
  http(`{match: [${matches.map((one) => `{${one}}`).join(', ')}], ${to('v2')}}`, `{${to('v1')}}`);

export const split = (...shares: readonly (readonly [subset: string, weight: number])[]): string =>
  `route: [${shares.map(([subset, weight]) => `{destination: {host: echo, subset: ${subset}}, weight: ${weight}}`).join(', ')}]`;

/** What all endpoints of `echo` share. */
export const policy = (trafficPolicy: string): string =>
  destinationRule(`host: echo, trafficPolicy: {${trafficPolicy}}`);

/** Anybody. */
export const ALL = 'v1|v2|v3';
/** So many that each of three is met, but for one run of a billion. */
export const MANY = 60;
