import { Server, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { type Guarded, type GuardOptions, guard, peerOf } from '../../../sdk/src/server/index.ts';
import { rawMethod } from '../../harness/raw-method.ts';
import type { World } from '../../harness/secure-world.ts';

type Call = ServerUnaryCall<Buffer, Buffer>;
type Answer = sendUnaryData<Buffer>;

/** A server of grpc-js that answers with who called it, as `echo` of the namespace shop. */
export function echoServer(onCall: () => Promise<void> = async () => {}): Server {
  const server = new Server();
  server.addService(
    { Say: rawMethod('/echo.Echo/Say') },
    {
      Say: (call: Call, done: Answer) => {
        onCall().then(() => done(null, Buffer.from(peerOf(call)?.id ?? 'nobody')));
      },
    },
  );
  return server;
}

export async function startEcho(
  world: World,
  port: number,
  options: GuardOptions & { readonly onCall?: () => Promise<void> } = {},
): Promise<Guarded> {
  const { onCall, ...rest } = options;
  const { mesh } = await world.mesh('echo');
  const guarded = guard(echoServer(onCall), { mesh, host: '127.0.0.1', ...rest });
  world.onClose(() => guarded.close({ graceMs: 0 }));
  await guarded.listen(port);
  return guarded;
}
