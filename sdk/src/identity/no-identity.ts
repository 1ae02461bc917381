import { MeshError } from '../errors.ts';
import type { LiveIdentity } from './live-identity.ts';

const HINT =
  'set INMESH_TOKEN or INMESH_TOKEN_FILE (a certificate of the CA), INMESH_CERT_FILE and INMESH_KEY_FILE, SPIFFE_ENDPOINT_SOCKET or INMESH_SDS';

/** Of a process that nobody gave a credential: who asks for its identity is told how to give one. */
export function createNoIdentity(reason = 'no credential is named'): LiveIdentity {
  const missing = `this process has no identity: ${reason}`;
  return {
    current: () => undefined,
    missing: `${missing}; ${HINT}`,
    ready: () =>
      Promise.reject(new MeshError('MESH_IDENTITY_UNAVAILABLE', missing, { flag: 'UF', status: 503, hint: HINT })),
    onChange: () => () => {},
    start: () => {},
    nudge: () => {},
    own: () => undefined,
    held: () => Promise.resolve(),
    describe: () => undefined,
    close: () => {},
  };
}
