import { setTimeout as sleep } from 'node:timers/promises';
import { serveRatings } from './ratings-grpc.ts';
import { json, serve } from './service.ts';

/** The longest delay a request may ask for, ms. */
const LONGEST_DELAY_MS = 10_000;
const STARS = { Reviewer1: 5, Reviewer2: 4 };

const byGrpc = await serveRatings(() => STARS);

await serve(
  'ratings',
  async (request, url) => {
    const id = /^\/ratings\/(\d+)$/.exec(url.pathname)?.[1];
    if (id === undefined) return json({ error: 'please provide a numeric product id' }, 400);
    const delay = Number(request.headers['x-demo-ratings-delay'] ?? 0);
    if (delay > 0) await sleep(Math.min(delay, LONGEST_DELAY_MS));
    return json({ id: Number(id), ratings: STARS });
  },
  byGrpc,
);
