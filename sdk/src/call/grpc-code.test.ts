import { describe, expect, it } from 'vitest';
import { StreamFailure } from '../connection/stream-failure.ts';
import type { MeshErrorCode } from '../errors.ts';
import { codeOfAbort, codeOfFailure, codeOfReply } from './grpc-code.ts';

/** gRFC A54: what only an application may say, never a control plane or a channel. */
const OF_APPLICATIONS = [3, 5, 6, 9, 10, 11, 15];

const CODES: readonly (MeshErrorCode | undefined)[] = [
  undefined,
  'MESH_NOT_READY',
  'MESH_NO_ROUTE',
  'MESH_NO_CLUSTER',
  'MESH_NO_HEALTHY_UPSTREAM',
  'MESH_OVERFLOW',
  'MESH_CONNECT_FAILED',
  'MESH_RESET',
  'MESH_TIMEOUT',
  'MESH_BLOCKED',
  'MESH_FAULT_ABORT',
  'MESH_LOCAL_REPLY',
  'MESH_PEER_REFUSED',
  'MESH_IDENTITY_UNAVAILABLE',
];

describe('the status of what no server has said', () => {
  it('is none that only an application may say (gRFC A54), whatever failed', () => {
    const statuses = [undefined, ...Array.from({ length: 600 }, (_, status) => status)];
    const causes = [
      undefined,
      ...(['refused', 'reset', 'protocol', 'lost', 'upgrade'] as const).map((kind) => new StreamFailure(kind, '')),
      ...Array.from({ length: 16 }, (_, resetCode) => new StreamFailure('reset', '', { resetCode })),
    ];
    const said = new Set<number>();
    for (const code of CODES) {
      for (const status of statuses) {
        if (status !== undefined) said.add(codeOfReply({ status }));
        for (const cause of causes) said.add(codeOfFailure({ code, status, cause }));
      }
    }
    expect([...said].filter((code) => OF_APPLICATIONS.includes(code))).toEqual([]);
  });

  it('is the one that a fault names', () => {
    expect(codeOfFailure({ code: 'MESH_FAULT_ABORT', status: 200, grpcStatus: 5 })).toBe(5);
    expect(codeOfReply({ status: 200, grpcStatus: 5 })).toBe(5);
  });

  it.each([
    [{ code: 'MESH_TIMEOUT', status: 504 }, 4],
    [{ code: 'MESH_NO_ROUTE', status: 404 }, 14],
    [{ code: 'MESH_NO_CLUSTER', status: 503 }, 14],
    [{ code: 'MESH_BLOCKED', status: 502 }, 14],
    [{ code: 'MESH_LOCAL_REPLY', status: 403 }, 7],
    [{ code: 'MESH_PEER_REFUSED', status: undefined }, 14],
  ] as const)('%o: %i', (failure, code) => {
    expect(codeOfFailure(failure)).toBe(code);
  });
});

it.each([
  [{ code: 8 }, 8],
  [AbortSignal.abort().reason, 1],
  [new Error('enough'), 1],
  [{ code: 'ECONNRESET' }, 1],
  [{ code: 17 }, 1],
  [undefined, 1],
  [null, 1],
  ['enough', 1],
])('a call that its caller ends with %o has status %i', (reason, code) => {
  expect(codeOfAbort(reason)).toBe(code);
});
