import { json, serve } from './service.ts';

const BOOK = {
  author: 'William Shakespeare',
  year: 1595,
  type: 'paperback',
  pages: 200,
  publisher: 'PublisherA',
  language: 'English',
  'ISBN-10': '1234567890',
  'ISBN-13': '123-1234567890',
};

await serve('details', (_request, url) => {
  const id = /^\/details\/(\d+)$/.exec(url.pathname)?.[1];
  return id === undefined
    ? json({ error: 'please provide a numeric product id' }, 400)
    : json({ id: Number(id), ...BOOK });
});
