export type { ClientType, ClientView } from './admin/clients.ts';
export type { JwtIssuerRule } from './auth/jwt-issuer.ts';
export type {
  Listening,
  ListenOptions,
  ResourceTtls,
  WorkloadIdentity,
  XdsServer,
  XdsServerOptions,
} from './embedded/api.ts';
export type { AuthenticationOptions, CaOptions } from './embedded/identity-options.ts';
export { createXdsServer } from './embedded.ts';
export type { Workload } from './registry/read-model.ts';
export { formatProblem } from './schema/problem.ts';
export type { ChangeEvent, Problem, Severity, Source, SourceObserver } from './schema/types.ts';
export { type FilesOptions, watchFiles } from './source/files.ts';
export { type MemorySource, memorySource } from './source/memory.ts';
export { withMeshConfig } from './source/mesh-config.ts';
