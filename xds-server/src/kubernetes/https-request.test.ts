import { afterEach, describe, expect, it, vi } from 'vitest';
import { createTestCa } from '../../../test/harness/certificates.ts';
import { httpsPeer } from '../auth/https-peer.fixture.ts';
import { httpsRequest } from './https-request.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const close of closers.splice(0)) await close();
});

async function peer() {
  const one = await httpsPeer(() => ({ status: 200, body: 'keys' }));
  closers.push(() => one.close());
  return one;
}

const limits = { timeoutMs: 20_000, maxBytes: 1_000 };

describe('a request', () => {
  it('goes to a server that the roots vouch for', async () => {
    const { url, ca } = await peer();
    expect(await httpsRequest(new URL(url), { ...limits, ca })).toEqual({ status: 200, body: 'keys' });
  });

  it('goes to no other, whatever NODE_TLS_REJECT_UNAUTHORIZED says', async () => {
    const { url, asked } = await peer();
    const stranger = await createTestCa({ subject: 'CN=stranger' });
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    await expect(httpsRequest(new URL(url), { ...limits, ca: stranger.pem })).rejects.toThrow(/UNABLE_TO_VERIFY/);
    expect(asked).toEqual([]);
  });
});
