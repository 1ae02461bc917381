import cluster from 'node:cluster';
import { once } from 'node:events';
import http from 'node:http';
import { meshFetch } from '@inmesh/sdk';

// Both workers serve one shared port and call through their own mesh; the primary calls too.
if (cluster.isPrimary) {
  const workers = [cluster.fork(), cluster.fork()];
  const [[port]] = await Promise.all(workers.map((worker) => once(worker, 'message')));
  const texts = [];
  for (let turn = 0; turn < 4; turn++) {
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
    texts.push(await response.json());
  }
  texts.push({ by: 0, text: await (await meshFetch('http://ratings.example/stars')).text() });
  const ends = workers.map((worker) => once(worker, 'exit'));
  for (const worker of workers) worker.disconnect();
  const exits = await Promise.all(ends);
  process.stdout.write(JSON.stringify({ texts, exits: exits.map(([code]) => code) }));
} else {
  const server = http.createServer(async (_request, response) => {
    const text = await (await meshFetch('http://ratings.example/stars')).text();
    response.end(JSON.stringify({ by: cluster.worker.id, text }));
  });
  server.listen(0, '127.0.0.1', () => process.send(server.address().port));
}
