import type { BootstrapOptions } from './bootstrap/bootstrap.ts';
import type { AdsTransport } from './discovery/transport.ts';
import type { CallPolicy } from './http/call-policy.ts';

/** What `createMesh` takes. All of it may be left out: the environment says the rest. */
export interface MeshOptions extends BootstrapOptions {
  /** A way to a control plane that is no address: one in this process, say (`createXdsServer().transport()`). */
  readonly transport?: AdsTransport;
  /**
   * `resolve` (the default): what Envoy would answer, the mesh answers. `throw`: it rejects with a MeshError. A call's own
   * `mesh: { localReply }` wins.
   */
  readonly localReply?: 'resolve' | 'throw';
  /** Call policy of all calls, as `mesh` of a single one; what the configuration says of the same thing wins. */
  readonly policy?: Omit<CallPolicy, 'localReply'>;
  /** Whose address stands for the source where a route hashes it: this process's own (the default), or the inbound client's. */
  readonly sourceIp?: 'own' | 'inbound';
  /** How long a call waits for the first configuration of its host, ms. */
  readonly configTimeoutMs?: number;
}

/** One service this process offers: an endpoint of it for as long as the mesh is connected. */
export interface Registration {
  readonly service: string;
  readonly port: number;
  /** The `version` label: subsets select by it. */
  readonly version?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Where others reach it, when that is not where the control plane sees this process. */
  readonly address?: string;
  /** The port takes mutual TLS of the mesh: callers expect this workload's certificate there. Guarded servers say so themselves. */
  readonly tls?: 'istio';
}

export interface ReadyOptions {
  /** `host:port` (80 where there is no port) or URLs: each must have its configuration. */
  readonly hosts?: readonly string[];
  /** How long to wait; as long as a call waits when left out. */
  readonly timeoutMs?: number;
}

export interface ExplainOptions {
  /** GET when left out. */
  readonly method?: string;
  /** `http:` or `https:`; `tcp://host:port` for a connection. */
  readonly url: string | URL;
  readonly headers?: Readonly<Record<string, string>> | readonly (readonly [string, string])[];
  /** The number that decides weighted splits and fractions, 0 to 2³² − 1; 0 when left out. */
  readonly random?: number;
}
