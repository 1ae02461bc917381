import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { PROPAGATED_HEADERS, propagate } from './propagate.ts';
import { addPropagated, currentInbound, propagationStore } from './store.ts';

const sent = (own: string[] = []): string[] => {
  addPropagated(own);
  return own;
};

describe('headers that go along', () => {
  it('are the tracing ones, and others only when listed', () => {
    const headers = {
      traceparent: 't',
      'x-request-id': 'r',
      'end-user': 'jason',
      authorization: 'secret',
      cookie: 'c',
    };
    let plain: string[] = [];
    propagate()({ headers }, undefined, () => (plain = sent()));
    expect(plain).toEqual(['traceparent', 't', 'x-request-id', 'r']);
    let listed: string[] = [];
    propagate({ headers: ['End-User', 'authorization'] })({ headers }, undefined, () => (listed = sent()));
    expect(listed).toEqual([...plain, 'end-user', 'jason', 'authorization', 'secret']);
    expect(PROPAGATED_HEADERS).not.toContain('cookie');
  });

  it('never replace what the caller set', () => {
    propagate()({ headers: { b3: 'theirs', baggage: 'x' } }, undefined, () => {
      expect(sent(['b3', 'mine'])).toEqual(['b3', 'mine', 'baggage', 'x']);
    });
  });

  it('leave an oversized value behind (W3C Baggage §3.3.2)', () => {
    propagate()({ headers: { baggage: 'x'.repeat(8_193) } }, undefined, () => expect(sent()).toEqual([]));
  });

  it("are nobody else's: nothing outside a request, each request its own", async () => {
    expect(currentInbound()).toBeUndefined();
    const middleware = propagate();
    const seen = await Promise.all(
      ['1', '2'].map(
        (id) =>
          new Promise<string[]>((resolve) =>
            middleware({ headers: { 'x-request-id': id } }, undefined, async () => {
              await new Promise((later) => setImmediate(later));
              resolve(sent());
            }),
          ),
      ),
    );
    expect(seen).toEqual([
      ['x-request-id', '1'],
      ['x-request-id', '2'],
    ]);
  });

  it("are not taken from an object's prototype", () => {
    const headers = Object.create({ b3: 'inherited' }) as Record<string, string>;
    propagate()({ headers }, undefined, () => expect(sent()).toEqual([]));
  });

  it('are shared by two copies of the package', () => {
    expect((globalThis as Record<symbol, unknown>)[Symbol.for('inmesh.propagation.1')]).toBe(propagationStore());
  });

  it("wrap a listener of Node's http in one line", async () => {
    let seen: string[] = [];
    const server = createServer(
      propagate().listener((_request, response) => {
        seen = sent();
        (response as { end(): void }).end();
      }),
    ).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { headers: { 'x-request-id': '7' } });
    server.close();
    expect(seen).toEqual(['x-request-id', '7']);
  });
});
