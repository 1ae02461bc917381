import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { create, createFileRegistry } from '@bufbuild/protobuf';
import type { GenService } from '@bufbuild/protobuf/codegenv2';
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  file_google_protobuf_wrappers,
  type StringValueSchema,
} from '@bufbuild/protobuf/wkt';
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';

/** For tests alone: a real server of connect-node, and its service without generated code. */

const TEXT = '.google.protobuf.StringValue';
const method = (name: string, clientStreaming: boolean, serverStreaming: boolean) => ({
  name,
  clientStreaming,
  serverStreaming,
  inputType: TEXT,
  outputType: TEXT,
});

const registry = createFileRegistry(
  create(FileDescriptorSetSchema, {
    file: [
      file_google_protobuf_wrappers.proto,
      create(FileDescriptorProtoSchema, {
        name: 'echo',
        package: 'test',
        syntax: 'proto3',
        dependency: [file_google_protobuf_wrappers.proto.name],
        service: [
          {
            name: 'Echo',
            method: [
              method('Say', false, false),
              { ...method('Look', false, false), options: { idempotencyLevel: 1 } },
              method('Collect', true, false),
              method('Spread', false, true),
              method('Chat', true, true),
            ],
          },
        ],
      }),
    ],
  }),
);

interface Kind<K extends string> {
  readonly methodKind: K;
  readonly input: typeof StringValueSchema;
  readonly output: typeof StringValueSchema;
}

export type EchoService = GenService<{
  say: Kind<'unary'>;
  /** Without side effects: may be a GET. */
  look: Kind<'unary'>;
  collect: Kind<'client_streaming'>;
  spread: Kind<'server_streaming'>;
  chat: Kind<'bidi_streaming'>;
}>;

export const Echo = registry.getService('test.Echo') as EchoService;

export interface EchoPeer {
  readonly port: number;
  /** `PROTOCOL METHOD` of each HTTP request. */
  readonly requests: string[];
  /** Calls whose client has gone away. */
  readonly aborted: string[];
  close(): void;
}

export type EchoImpl = Partial<ServiceImpl<EchoService>>;

/** Echoes unless told otherwise. */
const ECHOING: EchoImpl = {
  say: ({ value }) => ({ value }),
  look: ({ value }) => ({ value }),
  async collect(messages) {
    let value = '';
    for await (const message of messages) value += message.value;
    return { value };
  },
  async *spread({ value }) {
    for (const letter of value) yield { value: letter };
  },
  async *chat(messages) {
    for await (const { value } of messages) yield { value };
  },
};

export async function serveEcho(version: '1.1' | '2', methods: EchoImpl = {}): Promise<EchoPeer> {
  const requests: string[] = [];
  const aborted: string[] = [];
  const adapter = connectNodeAdapter({
    routes: (router) => void router.service(Echo, { ...ECHOING, ...methods }, { interceptors: [noting(aborted)] }),
  });
  const take: typeof adapter = (request, response) => {
    requests.push(`${request.httpVersion} ${request.method}`);
    adapter(request, response);
  };
  const server = version === '2' ? http2.createServer(take) : http.createServer(take);
  const sessions = new Set<{ destroy(): void }>();
  server.on(version === '2' ? 'session' : 'connection', (session: { destroy(): void }) => sessions.add(session));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): void => {
    server.close();
    for (const session of sessions) session.destroy();
  };
  return { port: (server.address() as AddressInfo).port, requests, aborted, close };
}

type Interceptor = NonNullable<NonNullable<Parameters<typeof connectNodeAdapter>[0]['interceptors']>[number]>;

const noting =
  (aborted: string[]): Interceptor =>
  (next) =>
  (request) => {
    request.signal.addEventListener('abort', () => aborted.push(request.method.name));
    return next(request);
  };

/** Never, but for the end of the call. */
export const untilAborted = ({ signal }: HandlerContext): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });
