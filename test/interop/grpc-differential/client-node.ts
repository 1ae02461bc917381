import { createInterface } from 'node:readline';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { register, XdsChannelCredentials } from '@grpc/grpc-js-xds';

/** A client of grpc-js-xds's that is told by lines of JSON which channel to open and what to call. */
interface Order {
  readonly id: number;
  readonly do: 'open' | 'call' | 'close';
  readonly channel: string;
  readonly bootstrap: object;
  readonly target: string;
  readonly tls?: boolean;
  readonly path: string;
  readonly metadata: readonly (readonly [string, string])[];
  readonly timeoutMs: number;
  readonly wait?: boolean;
}

const clients = new Map<string, Client>();

const say = ({ id }: Order, code = 0, details = '', body = ''): void => {
  process.stdout.write(`${JSON.stringify({ id, code, details, body })}\n`);
};

function open({ target, tls, bootstrap }: Order): Client {
  const plain = credentials.createInsecure();
  return new Client(target, tls ? new XdsChannelCredentials(plain) : plain, {
    'grpc.TEST_ONLY_DO_NOT_USE_IN_PROD.xds_bootstrap_config': JSON.stringify(bootstrap),
  });
}

const pass = (bytes: Buffer): Buffer => bytes;

function call(order: Order, client: Client): void {
  const metadata = new Metadata({ waitForReady: order.wait === true });
  for (const [name, value] of order.metadata) metadata.add(name, name.endsWith('-bin') ? Buffer.from(value) : value);
  const options = { deadline: Date.now() + order.timeoutMs };
  const done = (error: ServiceError | null, value?: Buffer): void => {
    if (error) say(order, error.code, error.details);
    else say(order, 0, '', String(value));
  };
  client.makeUnaryRequest(order.path, pass, pass, Buffer.alloc(0), metadata, options, done);
}

register();
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order;
  const client = clients.get(order.channel);
  if (order.do === 'open') {
    clients.set(order.channel, open(order));
    say(order);
  } else if (order.do === 'close') {
    clients.delete(order.channel);
    client?.close();
    say(order);
  } else if (client) call(order, client);
}
