import { describe, expect, it } from 'vitest';
import { isHttp2, protocolsOf } from './terminator.ts';

const both = { http1: true, http2: true };
const one = { http1: true, http2: false };
const two = { http1: false, http2: true };

/** As OpenSSL chooses: the server's order counts. */
const choose = (spoken: typeof both, offered: readonly string[], configured: readonly string[] = ['h2', 'http/1.1']) =>
  protocolsOf(spoken, configured).find((name) => offered.includes(name));

describe('the protocol of a connection', () => {
  it.each([
    [both, ['istio', 'http/1.1'], 'http/1.1'],
    [both, ['istio', 'h2', 'http/1.1'], 'h2'],
    [both, ['istio-http/1.1', 'istio', 'http/1.1'], 'http/1.1'],
    [both, ['istio-h2', 'istio'], 'istio-h2'],
    [one, ['istio', 'h2', 'http/1.1'], 'http/1.1'],
    [one, ['istio-http/1.0'], 'istio-http/1.0'],
    [one, ['h2'], undefined],
    [two, ['istio', 'h2', 'http/1.1'], 'h2'],
    [two, ['istio'], 'istio'],
    [two, ['http/1.1'], undefined],
  ])('%j offered %j is %s', (spoken, offered, expected) => {
    expect(choose(spoken, offered)).toBe(expected);
  });

  it('is one that the listener names, where it names any that the server speaks', () => {
    expect(choose(both, ['h2', 'http/1.1'], ['http/1.1'])).toBe('http/1.1');
    expect(choose(two, ['h2'], ['http/1.1'])).toBe('h2');
    expect(choose(both, ['h2'], [])).toBe('h2');
  });

  it('where none was agreed is what the server speaks', () => {
    expect(isHttp2({ alpnProtocol: false }, two)).toBe(true);
    expect(isHttp2({ alpnProtocol: 'istio' }, two)).toBe(true);
    expect(isHttp2({ alpnProtocol: false }, both)).toBe(false);
    expect(isHttp2({ alpnProtocol: 'istio-h2' }, both)).toBe(true);
  });
});
