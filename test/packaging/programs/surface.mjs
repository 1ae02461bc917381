import { createMesh } from '@inmesh/sdk';
import { fetch as undiciFetch } from 'undici';

const url = 'http://ratings.example/stars';
const mesh = createMesh();
const answers = {};

const many = await Promise.all(Array.from({ length: 50 }, async () => (await mesh.fetch(url)).text()));
answers.many = new Set(many).size;

const upload = new ReadableStream({
  start(controller) {
    for (const part of ['six', ' and ', 'seven']) controller.enqueue(new TextEncoder().encode(part));
    controller.close();
  },
});
answers.stream = await (await mesh.fetch(url, { method: 'POST', body: upload, duplex: 'half' })).text();

const { statusCode, body } = await mesh.request(url, { method: 'POST', body: 'eight' });
answers.request = `${statusCode} ${await body.text()}`;

answers.dispatcher = await (await undiciFetch(url, { dispatcher: mesh.dispatcher })).text();

const installed = mesh.install();
answers.installed = await (await fetch(url)).text();
installed[Symbol.dispose]();

const abort = new AbortController();
abort.abort(new Error('enough'));
answers.aborted = await mesh.fetch(url, { signal: abort.signal }).catch((error) => error.message);

await mesh.close();
process.stdout.write(JSON.stringify(answers));
