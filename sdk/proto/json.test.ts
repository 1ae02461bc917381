import { create, fromBinary, fromJson, toBinary, toJson } from '@bufbuild/protobuf';
import { anyPack, anyUnpack } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import { HttpConnectionManagerSchema, ListenerSchema } from '../gen/listener.js';
import { registry } from '../gen/registry.js';

const listener = {
  name: 'reviews:9080',
  apiListener: {
    apiListener: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
      rds: { configSource: { ads: {}, resourceApiVersion: 'V3' }, routeConfigName: '9080' },
      httpFilters: [
        {
          name: 'envoy.filters.http.router',
          typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
        },
      ],
    },
  },
};

describe('JSON of the types served', () => {
  it('round-trips a Listener with a typed config through the wire format', () => {
    const message = fromJson(ListenerSchema, listener, { registry });
    const wire = toBinary(ListenerSchema, message);
    expect(toJson(ListenerSchema, fromBinary(ListenerSchema, wire), { registry })).toEqual(listener);
  });

  it('gives the typed config its own type', () => {
    const message = fromJson(ListenerSchema, listener, { registry });
    const config = message.apiListener?.apiListener;
    const manager = config && anyUnpack(config, HttpConnectionManagerSchema);
    expect(manager?.routeSpecifier.case === 'rds' && manager.routeSpecifier.value.routeConfigName).toBe('9080');
    expect(manager?.httpFilters.map(({ name }) => name)).toEqual(['envoy.filters.http.router']);
  });

  it('knows every type by the name in its type URL', () => {
    const packed = anyPack(ListenerSchema, create(ListenerSchema, { name: 'a' }));
    expect(anyUnpack(packed, registry)?.$typeName).toBe('envoy.config.listener.v3.Listener');
  });
});
