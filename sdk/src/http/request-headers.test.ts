import { describe, expect, it } from 'vitest';
import { readHeaders, takeConnectionHeaders } from './request-headers.ts';

describe('headers of a fetch', () => {
  it('are one flat list in lower case, whatever form they came in', () => {
    const expected = ['a', '1', 'b', '2'];
    expect(readHeaders({ A: '1', b: '2' })).toEqual(expected);
    expect(
      readHeaders([
        ['A', '1'],
        ['b', '2'],
      ]),
    ).toEqual(expected);
    expect(readHeaders(new Headers({ A: '1', b: '2' }))).toEqual(expected);
    expect(
      readHeaders(
        new Map([
          ['A', '1'],
          ['b', '2'],
        ]),
      ),
    ).toEqual(expected);
    expect(readHeaders(undefined)).toEqual([]);
  });

  it('lose white space at their ends and are made strings, as in fetch', () => {
    expect(readHeaders({ a: ' x ', n: 5 })).toEqual(['a', 'x', 'n', '5']);
  });

  it.each([[{ 'a b': '1' }], [{ a: 'x\r\ny: z' }], [{ a: '\u20ac' }], [[['a']]], [{ a: '\0' }]])(
    '%j is refused as fetch refuses it',
    (init) => {
      expect(() => readHeaders(init)).toThrow(TypeError);
      expect(() => new Headers(init as never)).toThrow(TypeError);
    },
  );

  it('may have names that objects have', () => {
    expect(readHeaders({ constructor: 'a', ['__proto__']: 'b', tostring: 'c' })).toEqual([
      'constructor',
      'a',
      '__proto__',
      'b',
      'tostring',
      'c',
    ]);
  });

  it('take bytes above ASCII as Latin-1', () => expect(readHeaders({ a: 'é' })).toEqual(['a', 'é']));
});

describe('what belongs to the connection', () => {
  it('is taken out, with what `connection` names (RFC 9110 §7.6.1)', () => {
    const list = [
      'a',
      '1',
      'connection',
      'close, X-Hop',
      'x-hop',
      '2',
      'proxy-connection',
      'x',
      'trailer',
      't',
      'te',
      'gzip',
    ];
    takeConnectionHeaders(list);
    expect(list).toEqual(['a', '1']);
  });

  it('leaves `te: trailers`', () => {
    const list = ['te', 'trailers'];
    takeConnectionHeaders(list);
    expect(list).toEqual(['te', 'trailers']);
  });

  it('gives host and content-length apart, once each', () => {
    const list = ['host', 'a', 'content-length', '3', 'b', '1'];
    expect(takeConnectionHeaders(list)).toEqual({ host: 'a', contentLength: '3' });
    expect(list).toEqual(['b', '1']);
    expect(() => takeConnectionHeaders(['host', 'a', 'host', 'b'])).toThrow('duplicate host header');
    expect(() => takeConnectionHeaders(['content-length', '+3'])).toThrow('invalid content-length header');
  });

  it.each(['transfer-encoding', 'keep-alive', 'upgrade', 'expect'])('refuses %s as undici does', (name) => {
    expect(() => takeConnectionHeaders([name, 'x'])).toThrow(expect.objectContaining({ code: 'UND_ERR_INVALID_ARG' }));
  });
});
