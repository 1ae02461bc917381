import { meshFetch } from '@inmesh/sdk';
import { json, serve } from './service.ts';

const VERSION = process.env.SERVICE_VERSION ?? 'v1';
/** v1 shows no stars, v2 black ones, v3 red ones. */
const STAR_COLORS: Readonly<Record<string, string>> = { v2: 'black', v3: 'red' };

const TEXTS = [
  {
    reviewer: 'Reviewer1',
    text: 'An extremely entertaining play by Shakespeare. The slapstick humour is refreshing!',
  },
  {
    reviewer: 'Reviewer2',
    text: 'Absolutely fun and entertaining. The play lacks thematic depth when compared to other plays by Shakespeare.',
  },
];

async function ratingsOf(id: string): Promise<Record<string, number> | undefined> {
  const response = await meshFetch(`http://ratings:9080/ratings/${id}`);
  if (!response.ok) return undefined;
  return ((await response.json()) as { ratings: Record<string, number> }).ratings;
}

await serve('reviews', async (_request, url) => {
  const id = /^\/reviews\/(\d+)$/.exec(url.pathname)?.[1];
  if (id === undefined) return json({ error: 'please provide a numeric product id' }, 400);
  const color = STAR_COLORS[VERSION];
  const ratings = color === undefined ? undefined : await ratingsOf(id);
  const reviews = TEXTS.map((entry) => {
    if (color === undefined) return entry;
    const stars = ratings?.[entry.reviewer];
    return {
      ...entry,
      rating: stars === undefined ? { error: 'Ratings service is currently unavailable' } : { stars, color },
    };
  });
  return json({ id: Number(id), version: VERSION, reviews });
});
