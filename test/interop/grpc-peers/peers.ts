import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { attempt, buildGoPeer, PEER_CACHE } from '../../harness/go-peer.ts';
import { findGrpcioPython } from './grpcio.ts';

const HERE = path.dirname(fileURLToPath(import.meta.url));

/** What a client is built with, by what people call it. */
export const PEER_KINDS = ['grpc-go', 'grpcio', 'grpc-js-xds', 'grpc-java'] as const;
export type PeerKind = (typeof PEER_KINDS)[number];

/** How a client is started; undefined: it cannot be had here. */
export type PeerCommand = readonly string[] | undefined;

/** Built once and kept, outside the repository. */
export function findPeer(kind: PeerKind): PeerCommand {
  if (kind === 'grpc-go') return command(buildGoPeer('client'));
  if (kind === 'grpc-java') return buildJavaPeer(path.join(HERE, 'java'));
  if (kind === 'grpcio') return command(findGrpcioPython(), path.join(HERE, 'peer.py'));
  return [
    process.execPath,
    '--conditions=source',
    '--disable-warning=ExperimentalWarning',
    path.join(HERE, 'peer-node.ts'),
  ];
}

const command = (file: string | undefined, ...args: readonly string[]): PeerCommand =>
  file === undefined ? undefined : [file, ...args];

/** Jars by Maven, the one class by javac. */
function buildJavaPeer(sources: string): PeerCommand {
  const hash = createHash('sha256');
  for (const file of ['pom.xml', 'Peer.java']) hash.update(readFileSync(path.join(sources, file)));
  const folder = path.join(PEER_CACHE, 'java', `grpc-client-${hash.digest('hex').slice(0, 16)}`);
  // The heap: four clients and a control plane share a small machine.
  const start = ['java', '-Xmx256m', '-XX:+UseSerialGC', '-cp', `${folder}/classes:${folder}/lib/*`, 'Peer'];
  if (existsSync(folder)) return start;
  const fresh = `${folder}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  cpSync(sources, fresh, { recursive: true });
  const isBuilt =
    attempt('mvn', ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=lib'], fresh) &&
    attempt('javac', ['-cp', 'lib/*', '-d', 'classes', 'Peer.java'], fresh);
  if (isBuilt) renameSync(fresh, folder);
  else rmSync(fresh, { recursive: true, force: true });
  return isBuilt ? start : undefined;
}
