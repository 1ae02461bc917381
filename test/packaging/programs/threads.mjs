import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { meshFetch } from '@inmesh/sdk';

const ask = async () => (await meshFetch('http://ratings.example/stars')).text();

if (isMainThread) {
  const own = ask();
  const workers = [0, 1, 2].map(() => new Worker(new URL(import.meta.url)));
  const answers = workers.map((worker) => new Promise((resolve) => worker.once('message', resolve)));
  const ends = workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
  const texts = await Promise.all([own, ...answers]);
  process.stdout.write(JSON.stringify({ texts, exits: await Promise.all(ends) }));
} else {
  parentPort.postMessage(await ask());
  parentPort.close();
}
