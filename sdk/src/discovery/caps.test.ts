import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { describe, expect, it } from 'vitest';
import { settle } from '../../../test/harness/fake-clock.ts';
import { cluster, endpoints } from '../../../test/harness/xds-resources.ts';
import { defaultOf } from '../defaults.ts';
import { clusterType } from '../resource/cluster/cluster.ts';
import { loadAssignmentType } from '../resource/endpoint/load-assignment.ts';
import { splitField } from '../resource/split.ts';
import { CDS, EDS, setUp, watch } from './discovery.fixture.ts';

/** `depth` messages, one inside the other, in the field that LbEndpoint.metadata's Struct nests by. */
function nested(field: number, depth: number): Uint8Array {
  let bytes = new Uint8Array();
  for (let level = 0; level < depth; level += 1)
    bytes = new BinaryWriter().tag(field, WireType.LengthDelimited).bytes(bytes).finish();
  return bytes;
}

const RAW: [string, Uint8Array][] = [
  ['a varint of eleven bytes', Uint8Array.of(8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1)],
  ['a varint that is cut', Uint8Array.of(10, 0x80)],
  ['a length beyond the end', Uint8Array.of(10, 0xff, 0xff, 0xff, 0xff, 7)],
  ['a length of 2^63', Uint8Array.of(10, 255, 255, 255, 255, 255, 255, 255, 255, 127)],
  ['field number zero', Uint8Array.of(0, 0)],
  ['wire type 7', Uint8Array.of(15, 0)],
  ['an end without a beginning', Uint8Array.of(12)],
  ['groups 10,000 deep', new Uint8Array(10_000).fill(11)],
  ['messages 2,000 deep in a known field', nested(2, 2_000)],
  ['text that is no UTF-8', Uint8Array.of(10, 2, 0xc3, 0x28)],
];

describe('what a response may hold', () => {
  it.each(RAW)('%s in a resource: refused by name, the last good version goes on', async (_what, bytes) => {
    for (const [type, typeUrl, good] of [
      [clusterType, CDS, cluster('x')],
      [loadAssignmentType, EDS, endpoints('x', 80)],
    ] as const) {
      const { ads, discovery } = setUp();
      const { told } = watch<unknown>(discovery, type, 'x');
      await settle();
      const say = async (version: string, value: Uint8Array) => {
        const resource = { typeUrl, value };
        ads.current().respondDelta({ typeUrl, nonce: version, resources: [{ name: 'x', version, resource }] });
        await settle();
      };
      await say('1', good.value);
      await say('2', Buffer.concat([good.value, bytes]));
      expect(told).toEqual(['resource 1', expect.stringMatching(/^error /)]);
      expect(ads.current().delta.at(-1)?.errorDetail?.message).toMatch(/^x: /);
      await say('3', good.value);
      expect(told.at(-1)).toBe('resource 3');
    }
  });

  it.each(RAW.filter(([what]) => !/UTF-8|known field/.test(what)))(
    '%s in the response itself: the stream is given up, what is held stays',
    async (_what, bytes) => {
      const { ads, discovery, clock, events } = setUp();
      const { told } = watch(discovery, clusterType, 'x');
      await settle();
      ads
        .current()
        .respondDelta({ typeUrl: CDS, nonce: '1', resources: [{ name: 'x', version: '1', resource: cluster('x') }] });
      await settle();
      ads.current().on.message(bytes);
      await clock.pass(3_000);
      expect(ads.streams.length).toBeGreaterThan(1);
      expect(told).toEqual(['resource 1']);
      expect(events).toContainEqual(
        expect.objectContaining({ kind: 'xds-disconnected', reason: expect.stringContaining('cannot be read') }),
      );
    },
  );

  it('a resource larger than the limit is refused unread', async () => {
    const { ads, discovery } = setUp();
    const { told } = watch(discovery, clusterType, 'x');
    const other = watch(discovery, clusterType, 'y');
    await settle();
    const most = defaultOf('resourceBytes');
    const value = new Uint8Array(most + 1);
    ads.current().respondDelta({
      typeUrl: CDS,
      nonce: '1',
      resources: [
        { name: 'x', version: '1', resource: { typeUrl: CDS, value } },
        { name: 'y', version: '1', resource: cluster('y') },
      ],
    });
    await settle();
    expect(told).toEqual([`error ${most + 1} bytes, at most ${most} allowed`]);
    expect(other.told).toEqual(['resource 1']);
  });

  it('more resources than any response has: the stream is given up before one is made an object', async () => {
    const { ads, discovery, clock, events } = setUp();
    watch(discovery, clusterType, 'x');
    await settle();
    // resources, empty: 0x12 0x00.
    const bytes = new Uint8Array(2 * (defaultOf('adsMessageFields') + 1)).map((_, at) => (at % 2 === 0 ? 0x12 : 0));
    ads.current().on.message(bytes);
    await clock.pass(0);
    expect(ads.current().isClosed).toBe(true);
    expect(events).toContainEqual(
      expect.objectContaining({ reason: expect.stringContaining('more than 100000 resources') }),
    );
  });

  it('more endpoints than any locality has are refused, not decoded', () => {
    const bytes = new Uint8Array(2 * (defaultOf('messageFields') + 1)).map((_, at) => (at % 2 === 0 ? 0x12 : 0));
    expect(loadAssignmentType.decode(bytes)).toMatchObject({
      errors: [expect.stringContaining('more than 1000000 fields')],
    });
  });
});

describe('taking a message apart', () => {
  it('gives the loop its turn every 256 fields, so that one locality of thousands stalls nobody', () => {
    const writer = new BinaryWriter();
    for (let index = 0; index < 10_000; index += 1) writer.tag(2, WireType.LengthDelimited).bytes(Uint8Array.of(8, 1));
    const run = splitField(writer.tag(1, WireType.LengthDelimited).string('rest').finish(), 2);
    let turns = 0;
    let step = run.next();
    for (; !step.done; step = run.next()) turns += 1;
    expect(turns).toBe(39);
    expect(step.value.parts).toHaveLength(10_000);
    expect(step.value.rest).toEqual(Buffer.from('\n\u0004rest'));
  });
});
