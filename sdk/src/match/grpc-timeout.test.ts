import fc from 'fast-check';
import { expect, it } from 'vitest';
import { grpcTimeoutMs, grpcTimeoutText } from './grpc-timeout.ts';

it('what is written has at most eight digits, is read again, and is never less time than there is', () => {
  fc.assert(
    fc.property(fc.double({ min: 0.001, max: 1e11, noNaN: true }), (ms) => {
      const text = grpcTimeoutText(ms);
      expect(text).toMatch(/^\d{1,8}[mSMH]$/);
      const read = grpcTimeoutMs(text) ?? 0;
      expect(read).toBeGreaterThanOrEqual(ms);
      expect(read).toBeLessThanOrEqual(Math.max(ms + 1, ms * 1.1));
    }),
  );
});
