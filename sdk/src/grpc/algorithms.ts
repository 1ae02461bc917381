/** gRPC compression.md; numbers as in `grpc.default_compression_algorithm`. */
export const ALGORITHMS = ['identity', 'deflate', 'gzip'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** What is offered and taken. */
export const ACCEPTED = 'identity,deflate,gzip';

export const isAlgorithm = (text: string): text is Algorithm => ALGORITHMS.includes(text as Algorithm);
