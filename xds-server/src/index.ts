export type { ClientType, ClientView } from './admin/clients.ts';
export {
  createXdsServer,
  type Listening,
  type ListenOptions,
  type XdsServer,
  type XdsServerOptions,
} from './embedded.ts';
export type { Workload } from './registry/read-model.ts';
export { formatProblem } from './schema/problem.ts';
export type { ChangeEvent, Problem, Severity, Source, SourceObserver } from './schema/types.ts';
export { type FilesOptions, watchFiles } from './source/files.ts';
export { type MemorySource, memorySource } from './source/memory.ts';
export { withMeshConfig } from './source/mesh-config.ts';
