import { rowsOf } from '../field-rows.ts';
import type { FieldRows } from '../fields.ts';

export const fields: FieldRows = {
  ...rowsOf('envoy.config.endpoint.v3.ClusterLoadAssignment', {
    supported: 'cluster_name endpoints policy',
    rejected: { 'endpoints stand in their localities': 'named_endpoints' },
  }),
  ...rowsOf('envoy.config.endpoint.v3.ClusterLoadAssignment.Policy', {
    supported: 'overprovisioning_factor weighted_priority_health drop_overloads',
    ignored: {
      'the last endpoints known are kept': 'endpoint_stale_after',
    },
  }),
  ...rowsOf('envoy.config.endpoint.v3.ClusterLoadAssignment.Policy.DropOverload', {
    supported: 'category drop_percentage',
  }),
  ...rowsOf('envoy.config.endpoint.v3.LocalityLbEndpoints', {
    supported: 'locality lb_endpoints load_balancing_weight priority',
    ignored: { 'no locality metadata is known': 'metadata', 'Envoy does not read it either': 'proximity' },
    rejected: { 'endpoints stand in their localities': 'load_balancer_endpoints leds_cluster_locality_config' },
  }),
  ...rowsOf('envoy.config.endpoint.v3.LbEndpoint', {
    supported: 'endpoint health_status metadata load_balancing_weight',
    rejected: { 'endpoints stand in their localities': 'endpoint_name' },
  }),
  ...rowsOf('envoy.config.endpoint.v3.Endpoint', {
    supported: 'address hostname',
    ignored: {
      'every host is checked, where calls go': 'health_check_config',
      'the first address is dialled': 'additional_addresses',
    },
  }),
};
