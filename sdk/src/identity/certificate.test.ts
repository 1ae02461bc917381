import { describe, expect, it } from 'vitest';
import { createTestCa } from '../../../test/harness/certificates.ts';
import { certificateOf, factsOf } from './certificate.ts';

describe('certificates of peers', () => {
  it('are one object for the same DER, read once', async () => {
    const { certificate } = await (await createTestCa()).issue({ uris: ['spiffe://cluster.local/ns/a/sa/b'] });
    const one = certificateOf(certificate.raw);
    expect(certificateOf(Buffer.from(certificate.raw))).toBe(one);
    expect(one.raw.equals(certificate.raw)).toBe(true);
    expect(factsOf(one)).toBe(factsOf(certificateOf(certificate.raw)));
  });

  it('are not kept where a peer has made its own large', async () => {
    const dns = Array.from({ length: 400 }, (_, at) => `host-${at}.example`);
    const { certificate } = await (await createTestCa()).issue({ dns });
    expect(certificateOf(certificate.raw)).not.toBe(certificateOf(certificate.raw));
    expect(certificateOf(certificate.raw).raw.equals(certificate.raw)).toBe(true);
  });
});
