/** A mesh in one process for tests: the real control plane and the real SDK, no port open, no file written. */
import { createMesh, type Mesh, type MeshOptions } from '@inmesh/sdk';
import type { XdsServer } from '../embedded/api.ts';
import { createXdsServer } from '../embedded.ts';
import { problemLine } from '../schema/problem.ts';
import { memorySource } from '../source/memory.ts';

/** What a test mesh begins with. */
export interface TestMeshOptions {
  /** Istio and Kubernetes YAML, several documents allowed. Throws where something in it is wrong. */
  readonly yaml?: string;
}

/** Who a process of a test is: the options of `createMesh` but for the way to the control plane. */
export type TestIdentity = Omit<MeshOptions, 'transport' | 'xds' | 'protocol' | 'required'>;

/** The control plane and the meshes of one test. */
export interface TestMesh extends AsyncDisposable {
  /** The control plane. */
  readonly server: XdsServer;
  /**
   * Another process of the mesh; closed with the rest. Nothing of the environment is read. It is the service account that `identity`
   * names, `default/default` where it names none, and has its certificate from a CA in memory.
   */
  mesh(identity?: TestIdentity): Mesh;
  /** Like `kubectl apply`; resolves when every mesh has followed. Throws naming line and field where something is wrong. */
  apply(yaml: string): Promise<void>;
  /** Takes the object `Kind/namespace/name` away; resolves when every mesh has followed. */
  delete(key: string): Promise<void>;
  /** Resolves when every mesh is connected, has registered what it serves and has followed. */
  settled(): Promise<void>;
  /** Closes every mesh, then the control plane. */
  close(): Promise<void>;
}

/**
 * A control plane and any number of meshes in this process.
 *
 * @example
 * await using test = await createTestMesh({ yaml });
 * const web = test.mesh({ workload: 'web' });
 * const reviews = test.mesh({ workload: 'reviews', service: { name: 'reviews', port, version: 'v2' } });
 * await test.settled();
 * const response = await web.fetch('http://reviews:9080/');
 */
export async function createTestMesh({ yaml = '' }: TestMeshOptions = {}): Promise<TestMesh> {
  const source = memorySource();
  const server = createXdsServer({ source });
  const meshes = new Set<Mesh>();
  const write = (text: string): void => {
    const wrong = source.apply(text).filter(({ severity }) => severity === 'error');
    if (wrong.length > 0) throw new TypeError(wrong.map(problemLine).join('\n'));
  };
  const settled = async (): Promise<void> => {
    // A mesh that was closed is nobody to wait for.
    await Promise.all([...meshes].map((mesh) => mesh.ready().catch(() => {})));
    await server.settled();
  };
  const close = async (): Promise<void> => {
    await Promise.all([...meshes].map((mesh) => mesh.close()));
    await server.close();
  };
  write(yaml);
  await server.start();
  return {
    server,
    mesh(identity = {}) {
      const { namespace = 'default', serviceAccount = 'default' } = identity;
      const transport = server.transport({ namespace, serviceAccount });
      const mesh = createMesh({ ...identity, transport }, { env: {} });
      meshes.add(mesh);
      return mesh;
    },
    apply(text) {
      write(text);
      return settled();
    },
    delete(key) {
      source.delete(key);
      return settled();
    },
    settled,
    close,
    [Symbol.asyncDispose]: close,
  };
}
