import type { Clock } from '@inmesh/sdk/internal/clock';
import type { AdsTransport } from '@inmesh/sdk/internal/discovery/transport';
import type { ClientView } from '../admin/clients.ts';
import type { Workload } from '../registry/read-model.ts';
import type { Problem, Source } from '../schema/types.ts';
import type { RetryAttempts } from '../translate/mesh-settings.ts';
import type { AuthenticationOptions, CaOptions } from './identity-options.ts';

/** What a control plane is made of. */
export interface XdsServerOptions {
  /** Where its configuration comes from: `watchFiles(folder)`, `memorySource(yaml)` or one of your own. */
  readonly source: Source;
  /**
   * Authorities of xdstp names (gRFC A47) that are served: `xdstp://AUTHORITY/TYPE/NAME` is what the plain NAME is. Where none
   * are given only the empty one, `xdstp:///TYPE/NAME`.
   */
  readonly authorities?: readonly string[];
  /**
   * What `attempts: N` of a retry policy means: N retries after the first call, as Istio's API reference has it (`retries`, the
   * default), or N calls with it.
   */
  readonly retryAttempts?: RetryAttempts;
  /** The certificate authority of the mesh; in memory where nothing is said, none where false. It is made when it is first needed. */
  readonly ca?: CaOptions | false;
  /** Who is believed beside the CA itself. */
  readonly authentication?: AuthenticationOptions;
  /** No identities and no TLS between workloads, whatever PeerAuthentications say. */
  readonly plaintext?: boolean;
  /**
   * How long what they were told lives at Envoys and SDKs that hear nothing more of it (Envoy Resource.ttl): it is renewed three times
   * as often while the control plane is there, and dropped when it is gone. For ever where a type is not named.
   */
  readonly resourceTtlMs?: ResourceTtls;
  /**
   * gRPC clients and SDKs are asked to report the load of each cluster so often (LRS): per locality and with what they drop, on the admin page
   * `/load` and in `/metrics`. Nobody is asked where nothing is said.
   */
  readonly loadReportingIntervalMs?: number;
  /** The time by which it waits; the system's where none is given. */
  readonly clock?: Clock;
}

/** Milliseconds, by type of resource. */
export interface ResourceTtls {
  readonly lds?: number;
  readonly rds?: number;
  readonly cds?: number;
  readonly eds?: number;
}

/** Addresses to listen on: `host:port` (port 0 chooses a free one) or `unix:PATH`. */
export interface ListenOptions {
  /** ADS, SDS and the CA in plain text: on a loopback address or a unix socket. */
  readonly xds?: string;
  /** The same over TLS, for whoever proves who it is by a token or a certificate of the CA. */
  readonly secure?: string;
  /** DNS names and IP addresses that clients know `secure` by, beside localhost, this machine's and istiod's. */
  readonly serverNames?: readonly string[];
  /**
   * `xds` may be reached from other machines. They are believed nothing: they see the listeners, routes, clusters and endpoints that
   * are exported to every namespace, under full host names, and register nothing.
   */
  readonly publicPlaintext?: boolean;
  /** Health, metrics, clients, problems; loopback and unix sockets only. */
  readonly admin?: string;
}

/** Where it listens; empty where nothing was asked for. */
export interface Listening {
  readonly xds: string;
  readonly secure: string;
  readonly admin: string;
}

/** A workload by its names in Kubernetes. */
export interface WorkloadIdentity {
  readonly namespace: string;
  /** `default` where nothing is said. */
  readonly serviceAccount?: string;
}

/** A control plane inside this process. */
export interface XdsServer {
  /** Resolves when the source has been read once and can be served. Rejects when it cannot be read at all. */
  start(): Promise<void>;
  /**
   * Reaches this control plane without a port: for `createMesh({ transport })` in the same process. Implies `start`. With a workload's
   * names it is that workload, and can have its certificate; else it is a process on this machine that has proven nothing.
   */
  transport(workload?: WorkloadIdentity): AdsTransport;
  /** A bootstrap token: who holds it is that workload until it expires (an hour where nothing is said). Rejects without a CA. */
  token(workload: WorkloadIdentity, ttlMs?: number): Promise<string>;
  /** PEM certificates that vouch for the control plane and for the workloads of its mesh. Rejects without a CA. */
  roots(): Promise<readonly string[]>;
  /** Opens ports. Implies `start`; rejects when an address cannot be had. */
  listen(options?: ListenOptions): Promise<Listening>;
  /** Hears every error and warning once, in one line with file and line: those that stand, then new ones; and what clients reject. */
  onProblem(listener: (text: string) => void): () => void;
  /** Every error, warning and note of the moment, in the order of files. */
  problems(): readonly Problem[];
  /** Hears one line for each change of an object after the start. */
  onChange(listener: (text: string) => void): () => void;
  /** How much is loaded. */
  summary(): { readonly objects: number; readonly services: number };
  /** A workload that the configuration knows or that registered itself. */
  workload(namespace: string, name: string): Workload | undefined;
  /** Who is connected and what they said to the last response of each type. */
  clients(): readonly ClientView[];
  /**
   * Looks at the source again and resolves once everything seen is served and every connected client has answered it. Waits
   * at most 5 s: a client that never answers does not hold it for ever.
   */
  settled(): Promise<void>;
  /** No new streams; open ones end UNAVAILABLE, so clients keep what they have and look for another server. */
  close(): Promise<void>;
}
