export interface Details {
  readonly [field: string]: string | number;
}

export interface Reviews {
  readonly version: string;
  readonly reviews: readonly {
    readonly reviewer: string;
    readonly text: string;
    readonly rating?: { readonly stars: number; readonly color: string } | { readonly error: string };
  }[];
}

export type Fetched<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly status: number };

export interface PageContent {
  readonly user: string | undefined;
  readonly details: Fetched<Details>;
  readonly reviews: Fetched<Reviews>;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character);

const STYLE = `
:root { --ink: #1c2733; --soft: #5d6b7a; --line: #dfe5ec; --brand: #1b4b72; --paper: #fff; }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: var(--ink); background: #f3f6f9; }
header { background: var(--brand); color: #fff; padding: 14px 24px; display: flex; flex-wrap: wrap; align-items: center; gap: 8px 16px; }
header strong { font-size: 18px; letter-spacing: .2px; } header .spacer { flex: 1; }
header form { display: flex; gap: 8px; margin: 0; min-width: 0; } header > * { min-width: 0; overflow-wrap: anywhere; }
header input { padding: 6px 10px; border: 0; border-radius: 6px; font: inherit; width: 150px; min-width: 0; }
button, .button { padding: 6px 14px; border: 1px solid rgba(255,255,255,.6); border-radius: 6px; background: transparent; color: #fff; font: inherit; cursor: pointer; text-decoration: none; }
main { max-width: 980px; margin: 28px auto; padding: 0 20px; }
h1 { text-align: center; margin: 0 0 6px; font-size: 32px; } .summary { text-align: center; color: var(--soft); max-width: 720px; margin: 0 auto 26px; }
.columns { display: grid; grid-template-columns: minmax(240px, 1fr) 2fr; gap: 22px; } @media (max-width: 720px) { .columns { grid-template-columns: 1fr; } h1 { font-size: 26px; } header .spacer { display: none; } header form { flex: 1 0 100%; } header input { flex: 1; } }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 20px 24px; } h2 { margin: 0 0 14px; font-size: 20px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 16px; margin: 0; } dt { color: var(--soft); } dd { margin: 0; }
blockquote { margin: 0 0 18px; padding: 0 0 0 14px; border-left: 3px solid var(--line); } blockquote p { margin: 0 0 4px; }
cite { color: var(--soft); font-style: normal; } .stars { font-size: 20px; letter-spacing: 2px; } .black { color: #1c2733; } .red { color: #d4351c; } .dim { color: #cbd5df; }
.by { color: var(--soft); font-size: 14px; border-top: 1px solid var(--line); padding-top: 10px; } .error { color: #a4262c; }`;

const stars = (count: number, color: string): string =>
  `<span class="stars ${color === 'red' ? 'red' : 'black'}" aria-label="${count} of 5 stars">${'★'.repeat(count)}<span class="dim">${'★'.repeat(5 - count)}</span></span>`;

function rating(entry: Reviews['reviews'][number]): string {
  if (entry.rating === undefined) return '';
  return 'error' in entry.rating
    ? `<div class="error">${escapeHtml(entry.rating.error)}</div>`
    : stars(entry.rating.stars, entry.rating.color);
}

function renderDetails(details: Fetched<Details>): string {
  if (!details.ok) return '<p class="error">Sorry, product details are currently unavailable for this book.</p>';
  const rows = Object.entries(details.value)
    .filter(([field]) => field !== 'id')
    .map(([field, value]) => `<dt>${escapeHtml(field)}</dt><dd>${escapeHtml(String(value))}</dd>`);
  return `<dl>${rows.join('')}</dl>`;
}

function renderReviews(reviews: Fetched<Reviews>): string {
  if (!reviews.ok) return '<p class="error">Sorry, product reviews are currently unavailable for this book.</p>';
  const quotes = reviews.value.reviews.map(
    (entry) =>
      `<blockquote><p>“${escapeHtml(entry.text)}”</p><cite>— ${escapeHtml(entry.reviewer)}</cite> ${rating(entry)}</blockquote>`,
  );
  return `${quotes.join('')}<div class="by">Reviews served by <b>reviews ${escapeHtml(reviews.value.version)}</b></div>`;
}

function renderUser(user: string | undefined): string {
  return user
    ? `<span id="user">signed in as <b>${escapeHtml(user)}</b></span><a class="button" href="/logout">Sign out</a>`
    : '<form method="post" action="/login"><input name="username" placeholder="User name" aria-label="User name" autocomplete="off" required><button>Sign in</button></form>';
}

/** The product page. `data-reviews` carries the version that answered, for programs that read the page. */
export function renderPage({ user, details, reviews }: PageContent): string {
  const version = reviews.ok ? reviews.value.version : 'unavailable';
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bookinfo: The Comedy of Errors</title><style>${STYLE}</style></head>
<body data-reviews="${escapeHtml(version)}">
<header><strong>Bookinfo</strong><span>on Inmesh</span><span class="spacer"></span>${renderUser(user)}</header>
<main><h1>The Comedy of Errors</h1>
<p class="summary">One of William Shakespeare's early plays: his shortest and one of his most farcical comedies, a good part of the humour coming from slapstick and mistaken identity.</p>
<div class="columns"><section id="details"><h2>Book details</h2>${renderDetails(details)}</section>
<section id="reviews"><h2>Book reviews</h2>${renderReviews(reviews)}</section></div></main></body></html>`;
}
