import * as grpcJs from '@grpc/grpc-js';
import { type ChannelInterface, Client, type ClientOptions, credentials, loadPackageDefinition } from '@grpc/grpc-js';
import { createMesh } from '@inmesh/sdk';
import { channel, client, grpc } from '@inmesh/sdk/grpc';
import { addAdminServices, type Guarded, guard, peerOf } from '@inmesh/sdk/server';

/** A generated client, as grpc-tools and proto-loader make them. */
class EchoClient extends Client {
  echo(text: string): string {
    return text;
  }
}
const { Loaded } = loadPackageDefinition({ Loaded: {} }) as unknown as { Loaded: typeof EchoClient };

const mesh = createMesh();
const insecure = credentials.createInsecure();
const options: ClientOptions = { 'grpc.enable_retries': 0, ...mesh.grpc() };
const echo: EchoClient = new EchoClient('echo:80', insecure, mesh.grpc());
const other: EchoClient = new EchoClient('echo:80', insecure, options);
const own: ChannelInterface = mesh.channel('echo:80');
const overridden: EchoClient = new EchoClient('echo:80', insecure, { channelOverride: own });
const made: EchoClient = mesh.client(EchoClient, 'echo:80');
const loaded: EchoClient = mesh.client(Loaded, 'echo:80');
const ofProcess: EchoClient = client(EchoClient, 'echo:80');
const another: EchoClient = new EchoClient('echo:80', insecure, { ...grpc(), channelOverride: channel('echo:80') });
process.stdout.write([echo, other, overridden, made, loaded, ofProcess, another].map((one) => one.echo('x')).join());

const server = new grpcJs.Server();
const guarded: Guarded = guard(server, { credentials: grpcJs.ServerCredentials.createInsecure() });
const unary: grpcJs.handleUnaryCall<Buffer, Buffer> = (call) => peerOf(call)?.id;
const duplex: grpcJs.handleBidiStreamingCall<Buffer, Buffer> = (call) => peerOf(call)?.id;
await addAdminServices(server, { grpc: grpcJs, allow: (call) => call.getPeer() !== '' });
process.stdout.write(`${guarded.unready()}${unary.name}${duplex.name}`);
