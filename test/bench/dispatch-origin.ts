/** A server process of its own: small JSON answers on as many loopback ports as asked for; tells them to its parent. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';

const BODY = JSON.stringify({
  id: 7,
  reviews: [{ reviewer: 'Reviewer1', text: 'An extremely entertaining play', stars: 5 }],
});

async function listen(): Promise<number> {
  const server = http.createServer({ keepAliveTimeout: 75_000 }, (_, reply) => {
    reply.writeHead(200, { 'content-type': 'application/json', 'content-length': BODY.length });
    reply.end(BODY);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const ports = await Promise.all(Array.from({ length: Number(process.argv[2] ?? 1) }, listen));
process.send?.(ports);
process.on('disconnect', () => process.exit());
