import type { XdsServer, XdsServerOptions } from '../../../xds-server/src/embedded/api.ts';
import { createXdsServer } from '../../../xds-server/src/embedded.ts';
import { parseText } from '../../../xds-server/src/schema/parse.ts';
import { problemLine } from '../../../xds-server/src/schema/problem.ts';
import type { ObjectKey } from '../../../xds-server/src/schema/types.ts';
import { type MemorySource, memorySource } from '../../../xds-server/src/source/memory.ts';

/** Our control plane with a book of what its clients refused. */
export interface ControlPlane {
  readonly server: XdsServer;
  readonly source: MemorySource;
  /** `127.0.0.1:PORT` */
  readonly xds: string;
  /** One line a refusal: `CLIENT rejects TYPE: REASON`. */
  readonly nacks: readonly string[];
  /** Replaces everything, and waits until all clients have followed. Throws where something is wrong with it. */
  hold(yaml: string): Promise<void>;
  close(): Promise<void>;
}

export async function startControlPlane(
  yaml = '',
  { xds: address = '127.0.0.1:0', ...options }: Partial<XdsServerOptions> & { readonly xds?: string } = {},
): Promise<ControlPlane> {
  const source = memorySource();
  const server = createXdsServer({ source, ...options });
  const nacks: string[] = [];
  server.onProblem((text) => {
    if (/ rejects /.test(text)) nacks.push(text);
  });
  const keys = new Set<ObjectKey>();
  const hold = async (text: string): Promise<void> => {
    const { objects, problems } = parseText(text, 'corpus.yaml');
    const now = new Set(objects.map(({ key }) => key));
    for (const key of keys) if (!now.has(key)) source.delete(key);
    keys.clear();
    for (const key of now) keys.add(key);
    const wrong = problems.filter(({ severity }) => severity === 'error');
    if (wrong.length > 0) throw new Error(wrong.map(problemLine).join('\n'));
    source.apply(objects);
    await server.settled();
  };
  await hold(yaml);
  const { xds } = await server.listen({ xds: address });
  return { server, source, xds, nacks, hold, close: () => server.close() };
}
