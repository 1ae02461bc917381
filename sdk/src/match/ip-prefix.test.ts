import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { covers, parseIp, parseIpPrefix } from './ip-prefix.ts';

describe('IP prefixes', () => {
  it.each([
    ['10.1.2.3', [10, 1, 2, 3]],
    ['::1', [...new Array<number>(15).fill(0), 1]],
    ['fd00::9:1', [0xfd, 0, ...new Array<number>(11).fill(0), 9, 0, 1]],
    ['::ffff:10.0.0.1', [...new Array<number>(10).fill(0), 0xff, 0xff, 10, 0, 0, 1]],
    ['1:2:3:4:5:6:7:8', [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]],
  ])('%s is an address', (text, bytes) => expect(parseIp(text)).toEqual(bytes));

  it.each(['', '1.2.3', '1.2.3.256', '01.2.3.4', '1:2', '1::2::3', ':1', 'g::', '1:2:3:4:5:6:7:8:9', 'reviews'])(
    '%j is none',
    (text) => expect(parseIp(text)).toBeUndefined(),
  );

  it.each(['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '10.0.0.0/-1', 'fd00::/129', 'x/8'])('%j is no range', (text) =>
    expect(parseIpPrefix(text)).toBeUndefined(),
  );

  it('covers what Node’s own block list covers', () => {
    const address = fc.oneof(fc.ipV4(), fc.ipV6());
    const range = fc.oneof(
      fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })),
      fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })),
    );
    fc.assert(
      fc.property(address, range, (text, [base, length]) => {
        const family = isIP(base) === 6 ? 'ipv6' : 'ipv4';
        fc.pre(isIP(text) === isIP(base));
        const list = new BlockList();
        list.addSubnet(base, length, family);
        const prefix = parseIpPrefix(`${base}/${length}`);
        expect(prefix && covers(prefix, parseIp(text) ?? [])).toBe(list.check(text, family));
      }),
    );
  });
});
