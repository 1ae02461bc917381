import { type ControlPlane, startControlPlane } from '../control-plane-go/control-plane.ts';
import { inTime } from '../envoy-policy/in-time.ts';
import type { GrpcCase } from './case.ts';
import { type Certificates, makeCertificates } from './certificates.ts';
import { type ClientKind, type GrpcClient, processClient } from './clients.ts';
import { type Hosts, startHosts } from './hosts.ts';
import { fetchClient, ownClient } from './own-client.ts';
import { type Outcome, play } from './play.ts';

/** `sotw`: the mesh's channel over the state of the world, where `ours` has delta. */
export type Player = ClientKind | 'fetch' | 'sotw';
export type Outcomes = ReadonlyMap<string, Partial<Readonly<Record<Player, Outcome>>>>;

/** So many cases at a time: most of them wait. */
const AT_ONCE = 12;

/** One that hangs is told. */
const CASE_MS = 150_000;

/** The peers, the control plane and the certificates of one run. */
export class Theatre {
  readonly #peers: ReadonlyMap<ClientKind, readonly string[]>;
  readonly #plane: ControlPlane;
  readonly #certificates: Certificates;
  readonly #clients = new Map<Player, GrpcClient>();
  #played = 0;

  private constructor(
    peers: ReadonlyMap<ClientKind, readonly string[]>,
    plane: ControlPlane,
    certificates: Certificates,
  ) {
    this.#peers = peers;
    this.#plane = plane;
    this.#certificates = certificates;
    for (const [kind, command] of peers) this.#clients.set(kind, processClient(command));
    this.#clients.set('ours', ownClient('delta')).set('sotw', ownClient('sotw')).set('fetch', fetchClient);
  }

  static async open(binary: string, peers: ReadonlyMap<ClientKind, readonly string[]>): Promise<Theatre> {
    return new Theatre(peers, await startControlPlane(binary), await makeCertificates());
  }

  async close(): Promise<void> {
    await Promise.all([...this.#clients.values()].map((client) => client.stop()));
    await this.#plane.stop();
    this.#certificates.close();
  }

  /** Every case by every player that it is for, each with a part of the control plane of its own. */
  async playAll(cases: readonly GrpcCase[], players: readonly Player[], atOnce = AT_ONCE): Promise<Outcomes> {
    const outcomes = new Map<string, Partial<Record<Player, Outcome>>>();
    const left = cases.values();
    const work = async (): Promise<void> => {
      for (const one of left) outcomes.set(one.name, await this.#playOne(one, players));
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    return outcomes;
  }

  async #playOne(one: GrpcCase, players: readonly Player[]): Promise<Partial<Record<Player, Outcome>>> {
    const hosts = await startHosts(one, this.#certificates);
    try {
      const meant = players.filter((player) => player !== 'fetch' || one.fetch);
      const told = await Promise.all(
        meant.map(async (player) => [player, await this.#playBy(one, player, hosts)] as const),
      );
      return Object.fromEntries(told.filter(([, outcome]) => outcome !== undefined));
    } finally {
      await hosts.close();
    }
  }

  async #playBy(one: GrpcCase, kind: Player, hosts: Hosts): Promise<Outcome | undefined> {
    const command = kind === 'fetch' || kind === 'sotw' ? undefined : this.#peers.get(kind);
    // What ends the process ends no other case with it.
    const isAlone = kind === 'node' && one.killsNode && command !== undefined;
    const client = isAlone ? processClient(command) : this.#clients.get(kind);
    if (client === undefined) return undefined;
    const group = `${one.name}.${kind}.${++this.#played}`;
    const playing = play({ one, kind, group, plane: this.#plane, hosts, certificates: this.#certificates }, client);
    const missed = (why: string): Outcome => ({ lines: [], missed: [why], refusals: [] });
    try {
      const done = await inTime(
        playing.catch((error: unknown) => missed(String(error))),
        CASE_MS,
      );
      return done?.value ?? missed(`not over within ${CASE_MS} ms`);
    } finally {
      if (isAlone) await client.stop();
    }
  }
}
