import type { MessageTable } from './message-table.ts';

export const endpoint: MessageTable = {
  'envoy.config.endpoint.v3.ClusterLoadAssignment': { grpc: 'cluster_name endpoints policy', rest: 'not read (A27)' },
  'envoy.config.endpoint.v3.ClusterLoadAssignment.Policy': {
    grpc: 'drop_overloads',
    rest: 'a priority is left when none of its hosts can be reached (A56)',
  },
  'envoy.config.endpoint.v3.ClusterLoadAssignment.Policy.DropOverload': { grpc: 'category drop_percentage' },
  'envoy.config.endpoint.v3.LocalityLbEndpoints': {
    grpc: 'locality lb_endpoints load_balancing_weight priority',
    rest: 'not read (A27)',
  },
  'envoy.config.endpoint.v3.LbEndpoint': {
    grpc: 'endpoint health_status load_balancing_weight',
    partly: { metadata: { node: { ignored: 'not read' } } },
    rest: 'not read (A27)',
  },
  'envoy.config.endpoint.v3.Endpoint': {
    grpc: 'address additional_addresses',
    partly: {
      hostname: {
        core: { ignored: 'only where an environment variable asks for it (A81)' },
        node: { ignored: 'not implemented (A81)' },
      },
    },
    rest: 'not read (A27)',
  },
};
