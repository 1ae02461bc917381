import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConnectionFault } from './codes.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import { decodeHuffman } from './huffman.ts';

const decoder = (maxTable = 4_096, maxList = 65_536, maxFields = 256): HpackDecoder =>
  new HpackDecoder({ maxTable, maxList, maxFields });

const bytesOf = (hex: string): Buffer => Buffer.from(hex.replaceAll(/\s/g, ''), 'hex');

const decoded = (by: HpackDecoder, hex: string): string[] | undefined => {
  const bytes = bytesOf(hex);
  return by.decode(bytes, 0, bytes.length);
};

describe('the examples of RFC 7541 Appendix C', () => {
  it('C.2: literals with, without and never in the table, and an index', () => {
    expect(decoded(decoder(), '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572')).toEqual([
      'custom-key',
      'custom-header',
    ]);
    expect(decoded(decoder(), '040c 2f73 616d 706c 652f 7061 7468')).toEqual([':path', '/sample/path']);
    expect(decoded(decoder(), '1008 7061 7373 776f 7264 0673 6563 7265 74')).toEqual(['password', 'secret']);
    expect(decoded(decoder(), '82')).toEqual([':method', 'GET']);
  });

  it('C.4: requests on one connection, in the code of Huffman', () => {
    const by = decoder();
    const first = [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com'];
    expect(decoded(by, '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff')).toEqual(first);
    expect(decoded(by, '8286 84be 5886 a8eb 1064 9cbf')).toEqual([...first, 'cache-control', 'no-cache']);
    expect(decoded(by, '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf')).toEqual([
      ...[':method', 'GET', ':scheme', 'https', ':path', '/index.html', ':authority', 'www.example.com'],
      ...['custom-key', 'custom-value'],
    ]);
  });

  it('C.6: answers that drive each other out of a table of 256 bytes', () => {
    const by = decoder();
    // The example's table has 256 bytes, which its peer says first.
    expect(decoded(by, '3f e101')).toEqual([]);
    const date = 'Mon, 21 Oct 2013 20:13:21 GMT';
    const location = ['location', 'https://www.example.com'];
    const first =
      '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3';
    expect(decoded(by, first)).toEqual([':status', '302', 'cache-control', 'private', 'date', date, ...location]);
    expect(decoded(by, '4883 640e ffc1 c0bf')).toEqual([
      ...[':status', '307', 'cache-control', 'private', 'date', date, ...location],
    ]);
    const third =
      '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07';
    expect(decoded(by, third)).toEqual([
      ...[':status', '200', 'cache-control', 'private', 'date', 'Mon, 21 Oct 2013 20:13:22 GMT', ...location],
      ...['content-encoding', 'gzip', 'set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
    ]);
  });
});

const NAMES = ['x-a', 'x-b', ':path', 'authorization', 'cookie', 'content-length', 'grpc-timeout', 'te', 'user-agent'];
const field = fc.tuple(
  fc.oneof(fc.constantFrom(...NAMES), fc.stringMatching(/^[a-z][a-z0-9-]{0,30}$/)),
  fc.oneof(fc.constantFrom('', 'trailers', '1', 'gzip, deflate'), fc.stringMatching(/^[ -~\xa0-\xff]{0,300}$/)),
);

describe('what is encoded', () => {
  it('is decoded to the same, block after block, whatever tables the peer allows meanwhile', () => {
    const limits = fc.array(fc.constantFrom(0, 64, 200, 4_096, 65_536), { maxLength: 3 });
    const block = fc.record({ limits, fields: fc.array(field, { maxLength: 30 }) });
    fc.assert(
      fc.property(fc.array(block, { maxLength: 30 }), (blocks) => {
        const by = decoder(65_536);
        const encoder = new HpackEncoder();
        for (const { limits, fields } of blocks) {
          for (const limit of limits) encoder.tableLimit = limit;
          const bytes = Buffer.from(encoder.encode(fields.flat()));
          expect(by.decode(bytes, 0, bytes.length)).toEqual(fields.flat());
        }
      }),
    );
  });

  it('is a byte for each field that has come twice before; secrets never are', () => {
    const encoder = new HpackEncoder();
    const usual = [':method', 'POST', ':path', '/a.B/C', 'content-type', 'application/grpc', 'te', 'trailers'];
    for (let i = 0; i < 2; i++) encoder.encode(usual);
    expect(encoder.encode(usual).length).toBe(4);
    const secret = ['authorization', 'Bearer 0123456789'];
    for (let i = 0; i < 3; i++) expect(encoder.encode(secret)[0]).toBe(0x1f);
  });

  it('has its table emptied by a peer that allows none, which is told so', () => {
    const encoder = new HpackEncoder();
    const by = decoder();
    const fields = ['x-a', '1'];
    for (let i = 0; i < 3; i++) {
      const bytes = Buffer.from(encoder.encode(fields));
      expect(by.decode(bytes, 0, bytes.length)).toEqual(fields);
    }
    encoder.tableLimit = 0;
    encoder.tableLimit = 4_096;
    const bytes = Buffer.from(encoder.encode(fields));
    expect([...bytes.subarray(0, 4)]).toEqual([0x20, 0x3f, 0xe1, 0x1f]);
    // Go's decoder takes two sizes in a row only where the first leaves nothing.
    encoder.tableLimit = 64;
    encoder.tableLimit = 4_096;
    expect([...encoder.encode(fields).subarray(0, 4)]).toEqual([0x20, 0x3f, 0xe1, 0x1f]);
    expect(by.decode(bytes, 0, bytes.length)).toEqual(fields);
  });
});

describe('a block that is wrong', () => {
  it.each([
    ['the field 0', '80'],
    ['a field that is not in the table', 'be'],
    ['a name that is not in the table', '7e 01 61'],
    ['a string that is cut', '40 0a 63'],
    ['a string without a length', '40'],
    ['a number without an end', 'ff ff ff ff ff ff ff ff ff'],
    ['a table larger than we allow', '3f e2 1f'],
    ['a table size behind a field', '82 20'],
    ['padding of Huffman that is not ones', '00 01 61 81 00'],
    ['padding of Huffman of a byte', '00 01 61 82 07 ff'],
    ['EOS in a string', '00 01 61 84 ff ff ff ff'],
  ])('%s is the end of the connection', (_, hex) => {
    expect(() => decoded(decoder(), hex)).toThrow(ConnectionFault);
  });

  it('ends by itself, whatever its bytes are', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 }), (blocks) => {
        const by = decoder();
        try {
          for (const bytes of blocks) by.decode(Buffer.from(bytes), 0, bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(ConnectionFault);
        }
      }),
    );
  });

  it('is read to its end where it is larger than may be: the table of the next one needs it', () => {
    const by = decoder(4_096, 200, 256);
    // One field in the table, named again and again.
    expect(decoded(by, `40 03 782d61 01 31 ${'be'.repeat(20)} 40 03 782d62 01 32`)).toBeUndefined();
    expect(decoded(by, 'be bf')).toEqual(['x-b', '2', 'x-a', '1']);
    expect(decoded(decoder(4_096, 65_536, 3), '82 82 82 82')).toBeUndefined();
  });
});

it('every byte is in the code of Huffman', () => {
  // All 256 in a row, as golang.org/x/net writes them.
  const all = bytesOf(HUFFMAN_OF_ALL);
  expect(decodeHuffman(all, 0, all.length)).toBe(String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i)));
  expect(decodeHuffman(bytesOf('f8'), 0, 1)).toBe('&');
  expect(decodeHuffman(bytesOf('ffff ffff c7'), 0, 0)).toBe('');
});

describe('the table of the peer', () => {
  const large = `40 01 61 7f 89 26 ${'62'.repeat(5_000)}`.replaceAll(' ', '');

  it('is of 4,096 bytes until the peer says otherwise, however much we allow: what is larger empties it (RFC 7541 §4.4)', () => {
    const by = decoder(65_536);
    by.acknowledged();
    expect(decoded(by, `40 01 78 01 31 ${large}`)).toEqual(['x', '1', 'a', 'b'.repeat(5_000)]);
    expect(() => decoded(by, 'be')).toThrow('there is no field');
    const told = decoder(65_536);
    told.acknowledged();
    expect(decoded(told, `3f e1 ff 03 ${large}`)).toEqual(['a', 'b'.repeat(5_000)]);
    expect(decoded(told, 'be')).toEqual(['a', 'b'.repeat(5_000)]);
  });

  it('is HTTP/2’s before the peer has read what we allow; then it is made smaller before anything else (RFC 9113 §4.3.1)', () => {
    const by = decoder(100);
    expect(decoded(by, `40 03 782d61 01 31`)).toEqual(['x-a', '1']);
    by.acknowledged();
    expect(() => decoded(by, 'be')).toThrow('was to become smaller');
    const other = decoder(100);
    other.acknowledged();
    expect(() => decoded(other, '3f 46 82')).toThrow('more than was allowed');
    expect(decoded(other, '20 3f 45 82')).toEqual([':method', 'GET']);
  });
});

const HUFFMAN_OF_ALL =
  'ffc7fffd8fffffe2fffffe3fffffe4fffffe5fffffe6fffffe7fffffe8ffffeafffffff3fffffa7fffffabffffffdfffffebfffffecfff' +
  'ffedfffffeefffffefffffff0ffffff1ffffff2fffffffbfffffcffffffd3fffffd7fffffdbfffffdffffffe3fffffe7fffffebfffffed' +
  '4fe3f9ffaffcabf1febfafefe7fdfd2cbb00089969b71d79fb9f7fff20ffbff3ff50ddbd7f061c58f265cd9f469d5af66dddbf871e5f9c' +
  'ff7ff7fffc3ff9ffe45fff4719242cb34e6e9d68a6a3d7dac426defe3cfaf7fffbfe7ffbffdffffffcfffe6ffff4bfff9ffffa3fffd3ff' +
  'ff53fffd5ffffb3fffeb7fffdaffffb7ffff73fffeeffffdeffffebffffbfffffd9ffffdbfffebffffe0ffffeeffffc3ffff8bffff1fff' +
  'fe4fffee7fffb1ffff97fffd9ffffcdffff9fffffbffffdafffeeffff4ffffb7fffee7fffe8ffffd3fffdeffffd5fffeeffffbdffffe1f' +
  'ffdfffff7fffff5ffffecffff07fff87fffe0ffff17fffedffff87ffff77fffeffffeaffff8bfffe3ffff93ffff87fffcbffff37ffff1f' +
  'ffff83ffffe1fffebfffe3ffff3fffff2ffffa3ffffd9fffff17ffffc7fffff27ffffdefffffbffffff2fffff8fffffb7fff97fff8ffff' +
  'fe6fffffc1fffff87ffffe7fffffc5ffffe5fffe4ffff2fffffd1fffff4ffffffefffffe3fffffc9fffff97fffb3ffffcffffb7fffcdff' +
  'ff4ffff9ffffd1ffffcffffeaffffafffffddffffeffffff4fffff5fffffabffffa7ffffd7fffff9bffffecfffffb7fffff3fffffe8fff' +
  'ffd3fffffabfffff5fffffff7ffffecfffffdbfffffbbfffff7ffffff0fffffbbf';
