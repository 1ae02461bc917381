import http from 'node:http';
import { createTestMesh } from '@inmesh/xds-server/testing';

const origin = http.createServer((_request, response) => response.end('four'));
await new Promise((resolve) => origin.listen(0, '127.0.0.1', resolve));
const test = await createTestMesh();
const caller = test.mesh({ workload: 'caller' });
test.mesh({ workload: 'ratings', service: { name: 'ratings', port: origin.address().port, version: 'v1' } });
await test.settled();
const response = await caller.fetch(`http://ratings:${origin.address().port}/stars`);
process.stdout.write(JSON.stringify({ text: await response.text(), cluster: response.mesh?.cluster }));
await test.close();
origin.close();
