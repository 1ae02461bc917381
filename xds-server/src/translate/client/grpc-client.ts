/** The implementations of gRPC that speak xDS; `unknown` is told what all of them accept. */
export const GRPC_CLIENTS = ['go', 'core', 'java', 'node'] as const;
export type KnownGrpcClient = (typeof GRPC_CLIENTS)[number];
export type GrpcClient = KnownGrpcClient | 'unknown';

export const GRPC_TITLES: Readonly<Record<KnownGrpcClient, string>> = {
  go: 'Go',
  core: 'C-core',
  java: 'Java',
  node: 'grpc-js-xds',
};

/**
 * What makes a client's configuration other bytes than that of one without it. As few as can be: where one form is accepted
 * by all of them it is sent to all of them, and whoever has the same abilities shares every resource.
 */
export type Ability =
  /** CertificateValidationContext.system_root_certs (gRFC A82). */
  | 'systemRoots'
  /** C-core counts a call's longest time from one to two seconds before it began (its clock starts at a whole second). */
  | 'earlyTimeouts';

/** From text that was written from one. */
export const grpcClient = (text: string | undefined): GrpcClient =>
  GRPC_CLIENTS.find((client) => client === text) ?? 'unknown';

export interface GrpcTraits {
  readonly client: GrpcClient;
  /** Sorted. */
  readonly abilities: readonly Ability[];
}

interface Said {
  /** Node.user_agent_name. */
  readonly userAgent: string;
  /** Node.user_agent_version. */
  readonly version: string;
}

/** As each says it in Node.user_agent_name; C-core (C++, Python, Ruby, …) adds the platform. */
const NAMES: readonly (readonly [prefix: string, client: KnownGrpcClient])[] = [
  ['gRPC Go', 'go'],
  ['gRPC C-core', 'core'],
  ['gRPC Java', 'java'],
  ['gRPC Node', 'node'],
];

export const grpcTraits = ({ userAgent, version }: Said): GrpcTraits => {
  const client = NAMES.find(([prefix]) => userAgent.startsWith(prefix))?.[1] ?? 'unknown';
  return { client, abilities: client === 'java' && !isAtLeast(version, 1, 69) ? [] : newestAbilities(client) };
};

/**
 * Java has system roots without being asked; Go and C-core want an environment variable that nobody here can see. Every C-core
 * measured (58, 48 and 39: grpcio 1.85, 1.73 and 1.62) ends calls too early.
 */
export const newestAbilities = (client: GrpcClient): readonly Ability[] => {
  if (client === 'java') return ['systemRoots'];
  return client === 'core' ? ['earlyTimeouts'] : [];
};

/** `1.85.0`, `v1.85.0-dev`; what is no version is the oldest. */
const isAtLeast = (version: string, major: number, minor: number): boolean => {
  const [, first, second] = /^v?(\d{1,6})\.(\d{1,6})/.exec(version) ?? [];
  if (first === undefined || second === undefined) return false;
  return Number(first) > major || (Number(first) === major && Number(second) >= minor);
};
