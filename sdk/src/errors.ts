/** Stable codes of everything the mesh can say went wrong; listed in docs/guides/calling.md. */
export type MeshErrorCode =
  | 'MESH_CONFIG_INVALID'
  | 'MESH_BOOTSTRAP_INVALID'
  | 'MESH_NOT_READY'
  | 'MESH_NO_ROUTE'
  | 'MESH_NO_CLUSTER'
  | 'MESH_NO_HEALTHY_UPSTREAM'
  | 'MESH_OVERFLOW'
  | 'MESH_CONNECT_FAILED'
  | 'MESH_RESET'
  | 'MESH_TIMEOUT'
  | 'MESH_BLOCKED'
  | 'MESH_BREAKER_OPEN'
  | 'MESH_FAULT_ABORT'
  | 'MESH_IDENTITY_UNAVAILABLE'
  | 'MESH_PEER_REFUSED'
  | 'MESH_LOCAL_REPLY';

export interface MeshErrorInit {
  /** Envoy response flag, where there is one. */
  readonly flag?: string;
  /** The HTTP status a local reply carries. */
  readonly status?: number;
  /** The gRPC status, where the configuration names one. */
  readonly grpcStatus?: number;
  readonly retryable?: boolean;
  /** The resource at fault, by name. */
  readonly resource?: string;
  /** What the reader can do about it. */
  readonly hint?: string;
  readonly cause?: unknown;
}

const BRAND: unique symbol = Symbol.for('mesh.error') as never;

/**
 * Every error of the mesh. `instanceof` works across two copies of the package (brand by `Symbol.for`).
 * Message: `[CODE] what — hint`.
 */
export class MeshError extends Error {
  readonly code: MeshErrorCode;
  readonly flag: string | undefined;
  readonly status: number | undefined;
  readonly grpcStatus: number | undefined;
  readonly retryable: boolean;
  readonly resource: string | undefined;
  readonly hint: string | undefined;
  /** The call's story, where the error ends a call. */
  mesh: unknown;

  constructor(code: MeshErrorCode, what: string, init: MeshErrorInit = {}) {
    super(
      `[${code}] ${what}${init.hint ? ` — ${init.hint}` : ''}`,
      init.cause === undefined ? undefined : { cause: init.cause },
    );
    this.name = 'MeshError';
    this.code = code;
    this.flag = init.flag;
    this.status = init.status;
    this.grpcStatus = init.grpcStatus;
    this.retryable = init.retryable ?? false;
    this.resource = init.resource;
    this.hint = init.hint;
    Object.defineProperty(this, BRAND, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && BRAND in value;
  }

  /** Wraps anything thrown; a MeshError stays itself. */
  static from(value: unknown, code: MeshErrorCode = 'MESH_RESET'): MeshError {
    if (value instanceof MeshError) return value;
    return new MeshError(code, value instanceof Error ? value.message : String(value), { cause: value });
  }
}
