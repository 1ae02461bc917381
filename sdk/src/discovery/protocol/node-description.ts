import { create, type JsonObject } from '@bufbuild/protobuf';
import { type Node, NodeSchema } from '../../../gen/core.js';

/** Who we are to the control plane (Envoy config.core.v3.Node). */
export interface NodeDescription {
  readonly id: string;
  readonly cluster: string;
  readonly metadata: JsonObject;
  readonly locality?: { readonly region: string; readonly zone: string; readonly subZone: string };
}

const USER_AGENT = 'inmesh-sdk';

/** `xds.config.resource-in-sotw`: we unwrap discovery.v3.Resource in state-of-the-world responses, as Envoy does. */
const CLIENT_FEATURES = ['xds.config.resource-in-sotw'];

export function nodeMessage(node: NodeDescription, extra: JsonObject, version: string): Node {
  return create(NodeSchema, {
    id: node.id,
    cluster: node.cluster,
    metadata: { ...node.metadata, ...extra },
    ...(node.locality && { locality: node.locality }),
    userAgentName: USER_AGENT,
    userAgentVersionType: { case: 'userAgentVersion', value: version },
    clientFeatures: CLIENT_FEATURES,
  });
}
