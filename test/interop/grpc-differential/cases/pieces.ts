import type { JsonObject } from '@bufbuild/protobuf';

/** Parts of resources that several themes use. */

/** A caller's deadline for what may hang. */
export const HANG_MS = 6_000;

export const to = (cluster: string, match: JsonObject = { prefix: '' }): JsonObject => ({ match, route: { cluster } });

/** All the rest to `b`. */
export const REST = to('b', { prefix: '' });

/** One route to `a`, with more fields of its RouteAction. */
export const toA = (fields: JsonObject): readonly JsonObject[] => [
  { match: { prefix: '' }, route: { cluster: 'a', ...fields } },
];

export const ENVOY_ACTIONS: JsonObject = {
  request_headers_to_add: [{ header: { key: 'x-added', value: 'yes' } }],
  route: { cluster: 'a', prefix_rewrite: '/rewritten.Echo/', host_rewrite_literal: 'rewritten.test' },
};

const EXTENSIONS = 'type.googleapis.com/envoy.extensions';

/** A list of typed policies, in order. */
export const policies = (...list: readonly (readonly [name: string, fields?: JsonObject])[]): JsonObject => ({
  load_balancing_policy: {
    policies: list.map(([name, fields = {}]) => ({
      typed_extension_config: {
        name,
        typed_config: { '@type': `${EXTENSIONS}.load_balancing_policies.${name}`, ...fields },
      },
    })),
  },
});

/** The resource of one type, changed. */
export const changed =
  (type: string, change: (resource: JsonObject) => JsonObject | undefined) =>
  (all: readonly JsonObject[]): readonly JsonObject[] =>
    all.flatMap((resource) => {
      if (!String(resource['@type']).endsWith(`.${type}`)) return [resource];
      const made = change(resource);
      return made === undefined ? [] : [made];
    });

export const without = (type: string, name?: string) =>
  changed(type, (resource) =>
    name === undefined || resource.name === name || resource.cluster_name === name ? undefined : resource,
  );
