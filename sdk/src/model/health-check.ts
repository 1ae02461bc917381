import type { HeaderMutation } from './headers.ts';

/** Envoy core.v3.HealthCheck: asked of every host at its interval. */
export interface HealthCheck {
  readonly check: HealthCheckRequest;
  readonly timeoutMs: number;
  readonly intervalMs: number;
  /** The first check of a host comes within this time, drawn. */
  readonly initialJitterMs: number;
  /** Drawn and added to each interval: at most this, and at most this share of it. */
  readonly intervalJitterMs: number;
  readonly intervalJitterPercent: number;
  /** Failures in a row until a host is unhealthy, and successes until it is healthy. */
  readonly unhealthyThreshold: number;
  readonly healthyThreshold: number;
  /** Instead of `intervalMs`: while nobody has called the cluster, before and after the first success. */
  readonly noTrafficIntervalMs: number;
  readonly noTrafficHealthyIntervalMs: number;
  readonly unhealthyIntervalMs: number;
  /** The first interval after a host has become unhealthy, and healthy. */
  readonly unhealthyEdgeIntervalMs: number;
  readonly healthyEdgeIntervalMs: number;
  readonly port?: number;
  readonly reuseConnection: boolean;
}

/** Half open: `start` is in, `end` is not. */
export interface StatusRange {
  readonly start: number;
  readonly end: number;
}

export type HealthCheckRequest =
  | {
      readonly kind: 'http';
      readonly path: string;
      readonly method: string;
      /** The cluster's name where absent. */
      readonly host?: string;
      readonly requestHeaders: HeaderMutation;
      readonly expected: readonly StatusRange[];
      /** A failure that counts towards the threshold; any other failure makes the host unhealthy at once. */
      readonly retriable: readonly StatusRange[];
      readonly http2: boolean;
      readonly body?: Uint8Array;
      /** The answer must hold these one after another; nothing is looked for where empty. */
      readonly receive: readonly Uint8Array[];
      /** Of the answer's body that are looked at; 0: all. */
      readonly receiveBytes: number;
    }
  /** Connecting is enough where both are absent. */
  | { readonly kind: 'tcp'; readonly send?: Uint8Array; readonly receive: readonly Uint8Array[] }
  | {
      readonly kind: 'grpc';
      readonly service: string;
      readonly authority?: string;
      readonly initialMetadata: HeaderMutation;
    };
