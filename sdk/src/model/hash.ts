/** A 64-bit hash as two unsigned 32-bit halves: BigInt costs ten times as much on the hot path. */
export interface Hash64 {
  readonly hi: number;
  readonly lo: number;
}
