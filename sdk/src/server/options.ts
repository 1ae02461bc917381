import type { Mesh } from '../mesh.ts';
import type { PropagateOptions } from '../propagation/propagate.ts';
import type { InboundMode } from './chain.ts';
import type { GrpcServerCredentials } from './grpc-server.ts';
import type { ProbeOptions } from './probes.ts';
import type { ServingCallbacks } from './serving.ts';

/** Where a port of its own listens. */
export interface ListenAt {
  readonly port?: number;
  /** All addresses when left out: the kubelet asks from outside. */
  readonly host?: string;
}

export interface ShutdownOptions {
  /** Which signals begin it; `['SIGTERM']` when left out. A second one ends the process at once. */
  readonly signals?: readonly NodeJS.Signals[];
  /** New connections are still taken for this long: callers learn of the end in this time. */
  readonly delayMs?: number;
  /** What is under way may take this long afterwards. */
  readonly graceMs?: number;
}

/** What `guard` takes. */
export interface GuardOptions extends ServingCallbacks {
  /** The process's own mesh when left out. */
  readonly mesh?: Mesh;
  /** For `listen()`. */
  readonly port?: number;
  readonly host?: string;
  /** The service this server is an endpoint of, once it listens; none when left out. */
  readonly service?: string;
  readonly version?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Where others reach it, when that is not where the control plane sees this process. */
  readonly address?: string;
  /**
   * What is done where the control plane says nothing for `configTimeoutMs`; STRICT when left out. Where there is no control
   * plane at all: DISABLE when left out.
   */
  readonly fallback?: InboundMode;
  readonly configTimeoutMs?: number;
  /** Paths that GET and HEAD may ask for in plain even under STRICT, such as `/healthz`: exactly these. */
  readonly plainPaths?: readonly string[];
  /** `/healthz/ready` in plain on a port of its own, 15021. */
  readonly health?: boolean | ListenAt;
  /** `/metrics` in plain on a port of its own, 15020, and the kubelet's probes as Istio rewrites them (`/app-health/…`). */
  readonly metrics?: boolean | ListenAt;
  /** Where the application answers the probes of `/app-health/CONTAINER/{livez,readyz,startupz}`; ISTIO_KUBE_APP_PROBERS when left out. */
  readonly probes?: ProbeOptions;
  /** Of a server of grpc-js that ends TLS of its own, where the mesh asks for none (`bindAsync` takes the same, or insecure ones). */
  readonly credentials?: GrpcServerCredentials;
  /** Headers and deadlines that go along with the calls made for a request; `false`: none. */
  readonly propagate?: PropagateOptions | false;
  /** Drain on a signal. Off when left out: a library takes no signals unasked. */
  readonly shutdown?: boolean | ShutdownOptions;
}
