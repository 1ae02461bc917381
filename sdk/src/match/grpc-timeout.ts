const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** A `grpc-timeout` header in ms (gRPC over HTTP/2, Timeout); undefined: it is none. */
export function grpcTimeoutMs(text: string | undefined): number | undefined {
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(text ?? '') ?? [];
  return digits === undefined || unit === undefined ? undefined : Number(digits) * (UNIT_MS[unit] ?? 1);
}

const UNITS = [
  ['m', 1],
  ['S', 1_000],
  ['M', 60_000],
  ['H', 3_600_000],
] as const;

/** `grpc-timeout`: at most eight digits, never less time than there is (PROTOCOL-HTTP2). */
export function grpcTimeoutText(ms: number): string {
  const [unit, size] = UNITS.find(([, of]) => Math.ceil(ms / of) < 1e8) ?? ['H', 3_600_000];
  return `${Math.min(99_999_999, Math.max(1, Math.ceil(ms / size)))}${unit}`;
}
