import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock, Turn } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import { MeshError } from '../errors.ts';
import type { ClientTls } from '../identity/client-tls.ts';
import type { Identity } from '../identity/identity.ts';
import type { Secured } from '../identity/peer-check.ts';
import type { Secrets } from '../identity/secrets.ts';
import type { TlsContexts } from '../identity/tls-contexts.ts';
import type { UpstreamTls } from '../model/tls.ts';
import { ConnectFailure } from './connect-failure.ts';
import { setPeer } from './peers.ts';
import { isPinned } from './pins.ts';
import { type Spoken, settingsFor, type TlsTarget } from './tls.ts';

/** TLS towards one server with the certificates and roots of this moment. */
export interface SecureTransport {
  /** Connections with the same key may stand in for each other: another generation of the identity is another key. */
  readonly key: string;
  /** The same object for the same settings, whatever the certificates are. */
  readonly settings: UpstreamTls;
  open(raw: Socket): TLSSocket;
  /** Once it is secure, before a byte is sent. The peer is watched from then on: who would be refused later is closed. */
  verify(socket: TLSSocket): MeshError | undefined;
  /** What an error of the socket says about its peer. */
  refusal(error: unknown, socket: TLSSocket | undefined): MeshError | undefined;
}

export interface SecureTransports {
  /** The modules of TLS are there. Else `load` comes first. */
  readonly isLoaded: boolean;
  load(): Promise<void>;
  /** Or why there can be no connection: never one in clear instead. */
  of(target: TlsTarget, spoken: Spoken): SecureTransport | ConnectFailure;
}

export interface SecureTransportsParts {
  readonly clock: Clock;
  readonly turn: Turn;
  readonly identity: Identity;
  readonly secrets: Secrets & { onChange?(listener: () => void): () => void };
}

/** As `of`, once the modules of TLS are there; in clear where nothing else is asked for. */
export async function secureFor(
  secure: SecureTransports,
  target: TlsTarget | undefined,
  spoken: Spoken,
): Promise<SecureTransport | ConnectFailure | undefined> {
  if (target === undefined) return undefined;
  try {
    if (!secure.isLoaded) await secure.load();
    return secure.of(target, spoken);
  } catch (error) {
    return new ConnectFailure('tls', 'TLS could not be loaded', error);
  }
}

interface Kept {
  readonly epoch: number;
  /** When what its files say was looked at. */
  readonly sinceMs: number;
  readonly transport: SecureTransport;
}

/** The last question about some settings, and its answer. */
interface Last extends Omit<TlsTarget, 'tls' | 'hostname'> {
  readonly epoch: number;
  readonly spoken: Spoken;
  readonly hostname: string | undefined;
  readonly transport: SecureTransport;
}

/** Names as many as an application dials; of more than these, those that are asked for again are made again. */
const MOST_KEPT = 256;
/** Connections looked at in one turn after a change of roots: about a millisecond. */
const CHECKED_A_TURN = 16;

export const createSecureTransports = (parts: SecureTransportsParts): SecureTransports => new LiveTransports(parts);

class LiveTransports implements SecureTransports {
  readonly #parts: SecureTransportsParts;
  readonly #kept = new WeakMap<UpstreamTls, Map<string, Kept>>();
  readonly #last = new WeakMap<UpstreamTls, Last>();
  readonly #open = new Map<TLSSocket, Secured>();
  #contexts: TlsContexts | undefined;
  #loading: Promise<void> | undefined;
  /** Grows with each change of certificates or roots. */
  #epoch = 0;
  #checking: Iterator<readonly [TLSSocket, Secured]> | undefined;

  constructor(parts: SecureTransportsParts) {
    this.#parts = parts;
    parts.identity.onChange((state) => {
      this.#epoch++;
      // Without an identity of our own there is nothing to judge others by; what stands goes on.
      if (state !== undefined) this.#checkAll();
    });
    parts.secrets.onChange?.(() => {
      this.#epoch++;
      this.#checkAll();
    });
  }

  get isLoaded(): boolean {
    return this.#contexts !== undefined;
  }

  load(): Promise<void> {
    this.#loading ??= import('../identity/tls-contexts.ts').then(({ createTlsContexts }) => {
      const { identity, secrets, clock } = this.#parts;
      this.#contexts = createTlsContexts(identity, secrets, clock);
    });
    return this.#loading;
  }

  of(target: TlsTarget, spoken: Spoken): SecureTransport | ConnectFailure {
    const { tls, name, hostname } = target;
    const last = this.#last.get(tls);
    // Nearly always the same question: for the hot path.
    if (last?.epoch === this.#epoch && last.spoken === spoken && last.name === name && last.hostname === hostname)
      return last.transport;
    const transport = this.#find(target, spoken);
    if (!(transport instanceof ConnectFailure) && !readsFiles(tls))
      this.#last.set(tls, { epoch: this.#epoch, spoken, name, hostname, transport });
    return transport;
  }

  #find(target: TlsTarget, spoken: Spoken): SecureTransport | ConnectFailure {
    const settings = settingsFor(target, spoken);
    const kept = this.#kept.get(settings)?.get(target.name);
    if (kept !== undefined && kept.epoch === this.#epoch && !this.#isOld(kept)) return kept.transport;
    return this.#make(settings, target.name);
  }

  #isOld({ sinceMs, transport: { settings } }: Kept): boolean {
    return readsFiles(settings) && this.#parts.clock.now() - sinceMs >= defaultOf('tlsFilesCheckMs');
  }

  #make(settings: UpstreamTls, name: string): SecureTransport | ConnectFailure {
    const client = this.#contexts?.client(settings, name);
    if (client === undefined) return new ConnectFailure('tls', 'TLS is not loaded yet');
    if ('missing' in client) return unavailable(client.missing);
    const before = this.#kept.get(settings) ?? new Map<string, Kept>();
    if (before.size >= MOST_KEPT) before.clear();
    this.#kept.set(settings, before);
    const transport = this.#transport(settings, name, client);
    before.set(name, { epoch: this.#epoch, sinceMs: this.#parts.clock.now(), transport });
    return transport;
  }

  #transport(settings: UpstreamTls, name: string, client: ClientTls): SecureTransport {
    // The next one looks at once whether its files have changed.
    const forget = () => this.#kept.get(settings)?.delete(name);
    return {
      key: `${client.key}${extraKey(settings)}`,
      settings,
      open: (raw) => client.open(raw),
      refusal: (error, socket) => {
        forget();
        return client.refusal(error, socket);
      },
      verify: (socket) => {
        const secured = client.verify(socket);
        const fault = secured instanceof MeshError ? secured : faultOf(secured, settings, settings.sni ?? name);
        if (fault !== undefined) forget();
        else if (!(secured instanceof MeshError)) this.#watch(socket, secured);
        return fault;
      },
    };
  }

  #watch(socket: TLSSocket, secured: Secured): void {
    this.#open.set(socket, secured);
    if (secured.peer !== undefined) setPeer(socket, secured.peer.uri);
    socket.once('close', () => this.#open.delete(socket));
  }

  /** Roots or revocation lists may have changed: whoever would be refused now is (as ztunnel does). */
  #checkAll(): void {
    const isRunning = this.#checking !== undefined;
    this.#checking = this.#open.entries();
    if (!isRunning) this.#checkSome();
  }

  #checkSome(): void {
    for (let count = 0; count < CHECKED_A_TURN; count++) {
      const next = this.#checking?.next();
      if (next === undefined || next.done) {
        this.#checking = undefined;
        return;
      }
      const [socket, secured] = next.value;
      const refused = secured.recheck();
      if (refused !== undefined) socket.destroy(refused);
    }
    this.#parts.turn(() => this.#checkSome());
  }
}

/** What a connection was verified by beside what makes the client's own key. */
const extraKey = ({ pins, verifiesSni }: UpstreamTls): string =>
  pins === undefined && verifiesSni === undefined ? '' : JSON.stringify([pins, verifiesSni]);

/** What is asked for beside what every server of its kind is asked. */
function faultOf({ certificate }: Secured, { pins, verifiesSni }: UpstreamTls, name: string): MeshError | undefined {
  if (pins !== undefined && !isPinned(certificate, pins))
    return refused(`the server's certificate (SHA-256 ${certificate?.fingerprint256}) is none of those pinned`);
  if (verifiesSni && certificate?.checkHost(name) === undefined)
    return refused(`the server's certificate has no DNS name ${JSON.stringify(name)}, which it was asked for by`);
  return undefined;
}

const refused = (what: string): MeshError => new MeshError('MESH_PEER_REFUSED', what, { flag: 'UF', status: 503 });

/** Of ourselves: the connection is not even tried. */
function unavailable(missing: string): ConnectFailure {
  const cause = new MeshError('MESH_IDENTITY_UNAVAILABLE', missing, { flag: 'UF', status: 503 });
  return new ConnectFailure('tls', `TLS_error: ${missing}`, cause);
}

const readsFiles = ({ certificate, roots, crl }: UpstreamTls): boolean =>
  certificate?.kind === 'files' || roots.kind === 'file' || crl?.kind === 'file';
