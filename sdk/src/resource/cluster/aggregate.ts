import { ClusterConfigSchema, type Cluster_CustomClusterType as CustomType } from '../../../gen/cluster.js';
import type { Discovery } from '../../model/cluster.ts';
import { typeNameOf, unpack } from '../any.ts';
import type { Scope } from '../scope.ts';
import { sharedName } from '../shared.ts';
import { required } from '../values.ts';

/** Envoy Cluster.cluster_type, by the type of its configuration as gRPC and Envoy go: of a cluster of clusters (gRFC A37). */
export function decodeAggregate({ typedConfig }: CustomType, at: Scope): Discovery {
  const here = at.at('typed_config');
  const type = typedConfig && typeNameOf(typedConfig);
  if (typedConfig === undefined || type !== ClusterConfigSchema.typeName) {
    here.error(`${type ?? 'missing'}, ${ClusterConfigSchema.typeName} allowed`);
    return { kind: 'original-dst' };
  }
  const names = unpack(typedConfig, ClusterConfigSchema, here)?.clusters ?? [];
  const list = here.at('clusters');
  if (names.length === 0) list.error('empty, one cluster at least is required');
  return { kind: 'aggregate', clusters: names.map((name, index) => sharedName(required(name, list.at(index)))) };
}
