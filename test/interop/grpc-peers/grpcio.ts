import path from 'node:path';
import { attempt, PEER_CACHE } from '../../harness/go-peer.ts';

const GRPCIO_VERSION = '1.85.1';

/** A Python that has grpcio, in a virtual environment of its own; undefined where it cannot be had. */
export function findGrpcioPython(): string | undefined {
  const venv = path.join(PEER_CACHE, `grpcio-${GRPCIO_VERSION}`);
  const python = path.join(venv, 'bin/python');
  const isThere = (): boolean => attempt(python, ['-c', 'import grpc; grpc.xds_server_credentials']);
  if (isThere()) return python;
  attempt('python3', ['-m', 'venv', venv]);
  attempt(python, ['-m', 'pip', 'install', '-q', `grpcio==${GRPCIO_VERSION}`]);
  return isThere() ? python : undefined;
}
