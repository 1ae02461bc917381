import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StatefulSession } from '../model/action.ts';
import { request } from '../route/route.fixture.ts';
import { sessionAddress, sessionHeaders } from './session.ts';

const cookie: StatefulSession = { kind: 'cookie', name: 'session', path: '/', ttlMs: 60_000, strict: false };
const header: StatefulSession = { kind: 'header', name: 'x-session', strict: false };
const NOW = 1_800_000_000_000;

/** The same caller's next request. */
const returning = (setCookie: string) => request({ headers: ['cookie', setCookie.split(';')[0] ?? ''] });

describe('a session by cookie (Envoy CookieBasedSessionState)', () => {
  it('is told once, and names the host from then on', () => {
    const [name, value = ''] = sessionHeaders(cookie, request(), '10.0.0.1:80', NOW);
    expect(name).toBe('set-cookie');
    expect(value).toMatch(/^session="[\w+/=]+"; Max-Age=60; Path=\/; HttpOnly$/);
    expect(sessionAddress(cookie, returning(value), NOW)).toBe('10.0.0.1:80');
    expect(sessionHeaders(cookie, returning(value), '10.0.0.1:80', NOW)).toEqual([]);
    expect(sessionHeaders(cookie, returning(value), '10.0.0.2:80', NOW)).toHaveLength(2);
  });

  it("is base64 of Envoy's own message: address = 1, expires = 2", () => {
    const bytes = Buffer.from([0x0a, 0x02, 0x61, 0x62, 0x10, 0x80, 0xa0, 0xa7, 0xda, 0x06]);
    const asked = request({ headers: ['cookie', `session="${bytes.toString('base64')}"`] });
    expect(sessionAddress(cookie, asked, 0)).toBe('ab');
  });

  it('is over when its time is', () => {
    const [, value = ''] = sessionHeaders(cookie, request(), 'a:1', NOW);
    expect(sessionAddress(cookie, returning(value), NOW + 61_000)).toBeUndefined();
  });

  it('without a ttl is a session of the browser', () => {
    const { ttlMs: _, ...lasting } = cookie;
    const [, value = ''] = sessionHeaders({ ...lasting }, request(), 'a:1', NOW);
    expect(value).not.toContain('Max-Age');
    expect(sessionAddress(cookie, returning(value), NOW * 2)).toBe('a:1');
  });

  it('holds below its path alone', () => {
    const below: StatefulSession = { ...cookie, path: '/app' };
    const at = (path: string) => sessionHeaders(below, request({ path }), 'a:1', NOW).length > 0;
    expect(['/app', '/app/x', '/app?q', '/apple', '/'].map(at)).toEqual([true, true, true, false, false]);
  });

  it('of any address and time comes back; of any other text there is none, or some text', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 300 }), fc.nat(), (address, ttlMs) => {
        const session = { ...cookie, ttlMs };
        const [, value = ''] = sessionHeaders(session, request(), address.toWellFormed(), NOW);
        expect(sessionAddress(session, returning(value), NOW)).toBe(address.toWellFormed());
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const asked = request({ headers: ['cookie', `session=${Buffer.from(bytes).toString('base64')}`] });
        expect(['string', 'undefined']).toContain(typeof sessionAddress(cookie, asked, NOW));
      }),
    );
  });
});

describe('a session by header', () => {
  it('is the base64 of the host', () => {
    expect(sessionHeaders(header, request(), 'a:1', NOW)).toEqual(['x-session', 'YTox']);
    expect(sessionAddress(header, request({ headers: ['x-session', 'YTox'] }), NOW)).toBe('a:1');
  });
});

describe('a session that is switched off', () => {
  it('neither reads nor tells', () => {
    const none: StatefulSession = { kind: 'none', strict: false };
    expect(sessionAddress(none, request(), NOW)).toBeUndefined();
    expect(sessionHeaders(none, request(), 'a:1', NOW)).toEqual([]);
  });
});
