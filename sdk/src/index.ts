/** In-process service mesh: `meshFetch` is fetch, steered live by a control plane over xDS. */

import type { MeshFetch } from './http/fetch/mesh-fetch.ts';
import { defaultMesh } from './mesh.ts';

export type { BootstrapOptions, ServiceOption } from './bootstrap/bootstrap.ts';
export type { IdentityOptions } from './bootstrap/identity-settings.ts';
export type {
  Breaker,
  BreakerEvent,
  BreakerOptions,
  BreakerState,
  BreakerStats,
  BrokenRequest,
  FailureReason,
} from './breaker/breaker.ts';
export type { HedgeOptions, RetryOptions } from './call/policy-options.ts';
export type { ConnectOptions } from './connect/destination.ts';
export type { MeshSocket } from './connect/mesh-socket.ts';
export type { ClientConfig, GenericXdsConfig } from './discovery/client-config.ts';
export type { AdsListener, AdsMethod, AdsStatus, AdsStream, AdsTransport } from './discovery/transport.ts';
export { MeshError, type MeshErrorCode, type MeshErrorInit } from './errors.ts';
export type { ExplainedEndpoint, ExplainedSplit, Explanation } from './explain/explanation.ts';
export { formatExplanation } from './explain/format.ts';
export type { CallPolicy, MeshRequestInit, MeshResponse } from './http/call-policy.ts';
export type { MeshFetch } from './http/fetch/mesh-fetch.ts';
export type { MeshRequestFunction, MeshRequestOptions } from './http/undici/request.ts';
export type { MeshIdentity } from './mesh/identity.ts';
export { createMesh, defaultMesh, type Mesh } from './mesh.ts';
export type {
  AttemptStory,
  CallStory,
  ConnectionStory,
  EjectionReason,
  EventSink,
  MeshEvent,
  ResponseFlag,
} from './model/events.ts';
export type { ExplainOptions, MeshOptions, ReadyOptions, Registration } from './options.ts';
export {
  type InboundRequest,
  PROPAGATED_HEADERS,
  type PropagateMiddleware,
  type PropagateOptions,
  propagate,
} from './propagation/propagate.ts';
export type { Ejection, Evidence } from './upstream/outlier/record.ts';

/**
 * fetch through the process's own mesh (`defaultMesh()`): for a host of the mesh, whatever Envoy would answer resolves as a
 * Response, whose `mesh` tells its story; it rejects only where fetch does, or with MESH_BOOTSTRAP_INVALID. Other hosts are
 * left to the platform's fetch.
 *
 * @example
 * const response = await meshFetch('http://reviews:9080/reviews/0');
 * console.log(response.status, response.mesh?.cluster);
 */
export const meshFetch: MeshFetch = (input, init) => {
  try {
    return defaultMesh().fetch(input, init);
  } catch (error) {
    return Promise.reject(error);
  }
};
