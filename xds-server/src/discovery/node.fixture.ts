import { create, type JsonObject } from '@bufbuild/protobuf';
import { type Node, NodeSchema } from '@inmesh/sdk/internal/gen/core';

/** A node as an SDK sends it. */
export const nodeOf = (id: string, metadata: JsonObject = {}, userAgentName = 'inmesh-sdk'): Node =>
  create(NodeSchema, { id, metadata, userAgentName });
