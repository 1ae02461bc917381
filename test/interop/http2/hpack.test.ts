import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Random } from '../../../sdk/src/clock.ts';
import { ConnectionFault } from '../../../sdk/src/wire/http2/codes.ts';
import { HpackDecoder } from '../../../sdk/src/wire/http2/hpack-decoder.ts';
import { HpackEncoder } from '../../../sdk/src/wire/http2/hpack-encoder.ts';
import { buildGoPeer } from '../../harness/go-peer.ts';
import { seededRandom } from '../../harness/seeded-random.ts';
import { GoTables } from './go-tables.ts';

/** Our header tables and Go's, connection after connection. INMESH_FUZZ_SEED repeats a run, INMESH_HPACK_ROUNDS makes it longer. */
const binary = buildGoPeer('http2');
const SEED = Number(process.env.INMESH_FUZZ_SEED ?? 7541);
const ROUNDS = Number(process.env.INMESH_HPACK_ROUNDS ?? 40);
const BLOCKS = 15;

const NAMES = [
  ':path',
  ':authority',
  'authorization',
  'cookie',
  'set-cookie',
  'x-a',
  'x-b',
  'x-request-id',
  'te',
  'age',
];
const SECRETS = new Set(['authorization', 'cookie', 'proxy-authorization', 'set-cookie']);
/** From what pushes one field out to what a peer may allow. */
const SIZES = [0, 40, 100, 500, 4_096];

const below = (random: Random, limit: number): number => Math.floor((random() / 2 ** 32) * limit);
const oneOf = <T>(random: Random, list: readonly T[]): T => list[below(random, list.length)] as T;

/** Every byte is in one, next to what makes the code of Huffman the shorter one. */
function anyValue(random: Random): string {
  const kind = below(random, 5);
  if (kind === 0) return oneOf(random, ['', '1', 'trailers', 'gzip, deflate', '/index.html']);
  const length = below(random, kind === 1 ? 1_500 : 40);
  const bytes = Array.from({ length }, () => (kind < 4 ? 97 + below(random, 20) : below(random, 256)));
  return `${'e'.repeat(kind === 4 ? 20 + below(random, 200) : 0)}${String.fromCharCode(...bytes)}`;
}

function fieldsOf(random: Random): string[] {
  const count = below(random, 20);
  return Array.from({ length: count }, () => {
    const name = below(random, 4) === 0 ? `x-${below(random, 500)}` : oneOf(random, NAMES);
    return [name, below(random, 2) === 0 ? `v${below(random, 5)}` : anyValue(random)];
  }).flat();
}

const pairs = (flat: readonly string[]): [string, string, boolean][] =>
  flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? '', SECRETS.has(name)]] : []));

const newDecoder = (maxTable: number): HpackDecoder =>
  new HpackDecoder({ maxTable, maxList: 1 << 20, maxFields: 1_000 });

const MISPLACED = 'HPACK: a table size in the middle of a block';

/** What is wrong with it, where something is. */
function decoded(block: Buffer): string[] | string | undefined {
  try {
    return newDecoder(4_096).decode(block, 0, block.length);
  } catch (error) {
    if (error instanceof ConnectionFault) return error.message;
    throw error;
  }
}

describe.skipIf(binary === undefined)('header blocks, with the tables of golang.org/x/net', () => {
  let go: GoTables;
  beforeAll(() => {
    go = new GoTables(binary ?? '');
  });
  afterAll(() => go.close());

  it(`that we encode Go reads as they were, secrets as such, whatever table it allows meanwhile (seed ${SEED})`, async () => {
    const random = seededRandom(SEED);
    for (let round = 0; round < ROUNDS; round++) {
      const encoder = new HpackEncoder();
      for (let i = 0; i < BLOCKS; i++) {
        for (let left = below(random, 3); left > 0; left--) encoder.tableLimit = oneOf(random, [...SIZES, 65_536]);
        const fields = fieldsOf(random);
        const answer = await go.ask({ reset: i === 0, block: encoder.encode(fields) });
        expect(answer, `round ${round}, block ${i}`).toMatchObject({ fields, error: undefined });
        expect(answer.secrets).toEqual(fields.filter((name, at) => at % 2 === 0 && SECRETS.has(name)));
      }
    }
  });

  it(`that Go encodes we read as they were, whatever it makes of its table meanwhile (seed ${SEED})`, async () => {
    const random = seededRandom(SEED + 1);
    for (let round = 0; round < ROUNDS; round++) {
      const allowed = oneOf(random, [...SIZES, 65_536]);
      const decoder = newDecoder(allowed);
      for (let i = 0; i < BLOCKS; i++) {
        if (i === 0) decoder.acknowledged();
        const sizes = Array.from({ length: below(random, 3) }, () => Math.min(allowed, oneOf(random, SIZES)));
        const fields = fieldsOf(random);
        const first = i === 0 ? { reset: true, limits: [allowed] } : {};
        const { block } = await go.ask({ ...first, sizes, fields: pairs(fields) });
        expect(decoder.decode(block, 0, block.length), `round ${round}, block ${i}`).toEqual(fields);
      }
    }
  });

  it(`that are damaged both refuse, or both read the same (seed ${SEED})`, async () => {
    const random = seededRandom(SEED + 2);
    for (let round = 0; round < ROUNDS * 10; round++) {
      const { block } = await go.ask({ reset: true, fields: pairs(fieldsOf(random)) });
      for (let left = below(random, 4); left >= 0; left--) block[below(random, block.length)] = below(random, 256);
      const { fields, error } = await go.ask({ reset: true, block });
      const own = decoded(block);
      const title = `round ${round}: ${block.toString('hex')}, ${error ?? 'read'}`;
      // Go lets a table size stand in the middle of a block as long as the table is empty.
      if (own !== MISPLACED) expect(own, title).toEqual(error === undefined ? fields : expect.any(String));
    }
  });
});
