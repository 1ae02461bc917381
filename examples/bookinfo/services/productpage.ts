import type { IncomingMessage } from 'node:http';
import { meshFetch } from '@inmesh/sdk';
import { type Details, type Fetched, type Reviews, renderPage } from './page.ts';
import { type Reply, serve } from './service.ts';

function cookie(request: IncomingMessage, name: string): string | undefined {
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const at = part.indexOf('=');
    if (at > 0 && part.slice(0, at).trim() === name) return decodeURIComponent(part.slice(at + 1).trim());
  }
  return undefined;
}

async function get<T>(url: string, headers: Record<string, string>): Promise<Fetched<T>> {
  try {
    const response = await meshFetch(url, { headers });
    if (!response.ok) {
      await response.text();
      return { ok: false, status: response.status };
    }
    return { ok: true, value: (await response.json()) as T };
  } catch {
    return { ok: false, status: 503 };
  }
}

async function form(request: IncomingMessage): Promise<URLSearchParams> {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > 4_096) break;
  }
  return new URLSearchParams(text);
}

const redirectHome = (setCookie: string): Reply => ({
  status: 302,
  headers: { location: '/productpage', 'set-cookie': `${setCookie}; Path=/; HttpOnly; SameSite=Lax` },
  body: '',
});

async function page(request: IncomingMessage, url: URL): Promise<Reply> {
  const user = cookie(request, 'bookinfo-user');
  const visitor = cookie(request, 'visitor');
  const headers: Record<string, string> = {
    ...(user === undefined ? {} : { 'end-user': encodeURI(user) }),
    ...(visitor === undefined ? {} : { cookie: `visitor=${encodeURIComponent(visitor)}` }),
  };
  const [details, reviews] = await Promise.all([
    get<Details>('http://details:9080/details/0', headers),
    get<Reviews>(`http://reviews:9080/reviews/0${url.search}`, headers),
  ]);
  return { type: 'text/html; charset=utf-8', body: renderPage({ user, details, reviews }) };
}

await serve('productpage', async (request, url) => {
  if (url.pathname === '/login' && request.method === 'POST') {
    const user = (await form(request)).get('username') ?? '';
    return redirectHome(`bookinfo-user=${encodeURIComponent(user.slice(0, 64))}`);
  }
  if (url.pathname === '/logout') return redirectHome('bookinfo-user=; Max-Age=0');
  if (url.pathname === '/' || url.pathname === '/productpage') return page(request, url);
  return { status: 404, body: 'not found' };
});
