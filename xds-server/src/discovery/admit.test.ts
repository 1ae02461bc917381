import { expect, it } from 'vitest';
import { createAuthenticator } from '../auth/authenticator.ts';
import { createAdmit } from './admit.ts';

const admit = createAdmit({ authenticate: createAuthenticator({}), isPublicPlaintext: false });
const LOCAL = { authorization: [] };

it('believes who is on this machine to be there; over TLS, and from elsewhere, nobody who proves nothing', () => {
  expect(admit({ ...LOCAL, transport: 'unix', address: undefined })).toEqual({ address: undefined });
  expect(admit({ ...LOCAL, transport: 'tcp', address: '127.0.0.1' })).toEqual({ address: '127.0.0.1' });
  expect(admit({ ...LOCAL, transport: 'tcp', address: '::1' })).toEqual({ address: '::1' });
  expect(admit({ ...LOCAL, transport: 'tcp', address: '192.0.2.1' })).toMatchObject({ refused: 'no-credential' });
  // A socket that is gone has no address: that makes it no local one.
  expect(admit({ ...LOCAL, transport: 'tcp', address: undefined })).toMatchObject({ refused: 'no-credential' });
  expect(admit({ ...LOCAL, transport: 'tls', address: '127.0.0.1' })).toMatchObject({ refused: 'no-credential' });
});
