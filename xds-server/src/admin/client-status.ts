import { create, fromBinary } from '@bufbuild/protobuf';
import { AnySchema, timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Node } from '@inmesh/sdk/internal/gen/core';
import {
  type ClientConfig,
  type ClientConfig_GenericXdsConfig,
  ClientConfig_GenericXdsConfigSchema,
  ClientConfigSchema,
  ClientResourceStatus,
  type ClientStatusRequest,
  type ClientStatusResponse,
  ClientStatusResponseSchema,
  ConfigStatus,
  UpdateFailureStateSchema,
} from '@inmesh/sdk/internal/gen/services';
import type { Session, SubscribedResource } from '../discovery/session.ts';
import type { EncodedResource } from '../snapshot/encoded-resource.ts';
import { compileNodeMatchers } from './node-match.ts';
import { isShown } from './shown.ts';

/** What client status is read from. */
export interface ClientStatusSubject<S extends Pick<Session, 'node' | 'resources'> = Session> {
  readonly sessions: () => readonly S[];
  /** What is served to a client now. */
  readonly resource: (session: S, typeUrl: string, name: string) => EncodedResource | undefined;
  /** What the client does not do as the rules say, a line each. */
  readonly limits: (session: S) => readonly string[];
}

/** In the node's metadata: CSDS has no field for what a client took and does otherwise. */
const LIMITS = 'INMESH_LIMITS';

function nodeWith(node: Node, limits: readonly string[]): Node {
  return limits.length === 0 ? node : { ...node, metadata: { ...node.metadata, [LIMITS]: [...limits] } };
}

/** The configuration of every client that the matchers fit, one a stream; `error` names a matcher that cannot be read. */
export async function clientStatus<S extends Pick<Session, 'node' | 'resources'>>(
  { sessions, resource, limits }: ClientStatusSubject<S>,
  { nodeMatchers, excludeResourceContents }: ClientStatusRequest,
): Promise<ClientStatusResponse | { readonly error: string }> {
  const fits = compileNodeMatchers(nodeMatchers);
  if ('error' in fits) return fits;
  const config: ClientConfig[] = [];
  for (const session of sessions()) {
    const { node } = session;
    if (node === undefined || !fits(node)) continue;
    const genericXdsConfigs = [...session.resources()].map((one) =>
      genericConfig(one, excludeResourceContents ? undefined : resource(session, one.typeUrl, one.name)),
    );
    config.push(create(ClientConfigSchema, { node: nodeWith(node, limits(session)), genericXdsConfigs }));
    // A mesh of thousands is told while streams are answered.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return create(ClientStatusResponseSchema, { config });
}

/** The bytes go along where they are what the client was told; a newer version may be on its way. */
function genericConfig(
  { typeUrl, name, version, fate }: SubscribedResource,
  served: EncodedResource | undefined,
): ClientConfig_GenericXdsConfig {
  const isTold = version !== undefined && served?.version === version;
  return create(ClientConfig_GenericXdsConfigSchema, {
    typeUrl,
    name,
    ...(version !== undefined && { versionInfo: version }),
    ...(isTold && isShown(typeUrl) && { xdsConfig: fromBinary(AnySchema, served.any) }),
    ...(fate.kind !== 'asked' && { lastUpdated: timestampFromMs(fate.atMs) }),
    ...statusOf(fate, version),
  });
}

type Status = Pick<ClientConfig_GenericXdsConfig, 'configStatus' | 'clientStatus' | 'errorState'>;

/** Envoy ClientResourceStatus, from the server's side: what was sent and not answered is still REQUESTED (and STALE). */
function statusOf(fate: SubscribedResource['fate'], version: string | undefined): Status {
  const { REQUESTED, DOES_NOT_EXIST, ACKED, NACKED } = ClientResourceStatus;
  switch (fate.kind) {
    case 'asked':
      // A client that came back with a version holds it, and there was nothing newer to tell.
      return version === undefined
        ? { configStatus: ConfigStatus.NOT_SENT, clientStatus: REQUESTED }
        : { configStatus: ConfigStatus.SYNCED, clientStatus: ACKED };
    case 'sent':
      return { configStatus: ConfigStatus.STALE, clientStatus: version === undefined ? DOES_NOT_EXIST : REQUESTED };
    case 'accepted':
      return { configStatus: ConfigStatus.SYNCED, clientStatus: version === undefined ? DOES_NOT_EXIST : ACKED };
    case 'refused': {
      const { reason, atMs } = fate.refusal;
      return {
        configStatus: ConfigStatus.ERROR,
        clientStatus: NACKED,
        errorState: create(UpdateFailureStateSchema, {
          details: reason,
          lastUpdateAttempt: timestampFromMs(atMs),
          ...(version !== undefined && { versionInfo: version }),
        }),
      };
    }
  }
}
