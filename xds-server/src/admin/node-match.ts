import { create } from '@bufbuild/protobuf';
import {
  type MetadataMatcher,
  MetadataMatcher_PathSegmentSchema,
  MetadataMatcherSchema,
  type Node,
  type NodeMatcher,
} from '@inmesh/sdk/internal/gen/core';
import { compileMetadata, type Metadata } from '@inmesh/sdk/internal/match/metadata';
import { parseRegex } from '@inmesh/sdk/internal/match/regex';
import { compileString } from '@inmesh/sdk/internal/match/string';
import { decodeMetadataMatch } from '@inmesh/sdk/internal/resource/route/metadata-match';
import { decodeStringMatch } from '@inmesh/sdk/internal/resource/route/string-match';
import { createFindings, Scope } from '@inmesh/sdk/internal/resource/scope';

type NodeTest = (node: Node) => boolean;

/** A node's metadata is what Envoy's matchers of dynamic metadata read, under a namespace of its own. */
const NAMESPACE = 'node';

/** Envoy NodeMatcher: id and every metadata matcher must fit. One of several is enough, and none at all is every node. */
export function compileNodeMatchers(matchers: readonly NodeMatcher[]): NodeTest | { readonly error: string } {
  const findings = createFindings();
  const at = new Scope(findings).at('node_matchers');
  const tests = matchers.map((matcher, index) => compileNodeMatcher(matcher, at.at(index)));
  const [error] = findings.errors;
  if (error !== undefined) return { error };
  return (node) => tests.length === 0 || tests.some((test) => test(node));
}

function compileNodeMatcher({ nodeId, nodeMetadatas }: NodeMatcher, at: Scope): NodeTest {
  const id = nodeId && compileString(decodeStringMatch(nodeId, at.at('node_id')));
  const metadata = nodeMetadatas.map(({ path, value }, index) =>
    compileMetadata(
      decodeMetadataMatch(
        metadataMatcher(
          path.map(({ segment }) => segment.value ?? ''),
          value,
        ),
        at.at('node_metadatas').at(index),
      ),
      parseRegex,
    ),
  );
  return (node) => {
    const read: Metadata = new Map([[NAMESPACE, node.metadata ?? {}]]);
    return (id === undefined || id(node.id)) && metadata.every((test) => test(read));
  };
}

/** A StructMatcher as the MetadataMatcher that it is but for the namespace. */
const metadataMatcher = (path: readonly string[], value: MetadataMatcher['value']): MetadataMatcher =>
  create(MetadataMatcherSchema, {
    filter: NAMESPACE,
    path: path.map((key) => create(MetadataMatcher_PathSegmentSchema, { segment: { case: 'key', value: key } })),
    ...(value !== undefined && { value }),
  });
