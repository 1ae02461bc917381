import type { MeshRuntime } from '../http/runtime.ts';

/** Under a versioned symbol: a transport of one copy of the package may call over a mesh of another. */
export const OUTBOUND: unique symbol = Symbol.for('inmesh.outbound.1') as never;

/** A mesh as it is seen by what calls over it and is loaded only where an application asks for it. */
export interface WithOutbound {
  readonly [OUTBOUND]: MeshRuntime;
}
