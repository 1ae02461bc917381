/** google.protobuf.Duration from the ms of the schema. */
export const duration = (ms: number): { readonly seconds: bigint; readonly nanos: number } => {
  const seconds = Math.trunc(ms / 1_000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1_000) * 1_000_000) };
};
