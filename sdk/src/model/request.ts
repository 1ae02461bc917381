import type { HeaderList } from './headers.ts';

/**
 * A request as the mesh decides on it. Normalised once: what is decided and what is sent are the same bytes.
 */
export interface MeshRequest {
  /** Upper case for the standard methods, as given otherwise. */
  readonly method: string;
  readonly scheme: 'http' | 'https';
  /** Lower case, no trailing dot; the port is there only where the caller wrote one. What `:authority` matchers see. */
  readonly authority: string;
  /** Path with query string, no fragment. */
  readonly path: string;
  /** Without host, connection and the other hop-by-hop headers. */
  readonly headers: HeaderList;
  /** Runtime keys that are set, for this request: a percentage, or whether at all. */
  readonly runtime?: ReadonlyMap<string, boolean | number>;
  /** Envoy's dynamic metadata: namespace → JSON value. */
  readonly metadata?: ReadonlyMap<string, unknown>;
}
