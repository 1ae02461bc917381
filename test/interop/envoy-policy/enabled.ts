/** Cases that the SDK is held to, by name. A case that is not here is skipped by name, and stands in the docs as not there yet. */
export const ENABLED: ReadonlySet<string> = new Set([
  // retries, retry limits, back-off
  // timeouts
  'timeout-connecting',
  // circuit breakers
  // outlier detection
  // faults
  // mirrors
  // affinity
  // connections
  'connection-reused',
]);
