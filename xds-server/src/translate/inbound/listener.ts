import { create } from '@bufbuild/protobuf';
import { type Listener, ListenerSchema, TlsInspectorSchema } from '@inmesh/sdk/internal/gen/listener';
import { configPath } from '../origin.ts';
import { packAny } from '../proto.ts';
import type { View } from '../view.ts';
import type { World } from '../world.ts';
import { applicationCluster } from './application.ts';
import { inboundChains } from './chains.ts';
import { requestLimit } from './limits.ts';
import { type InboundAddress, parseInboundName } from './name.ts';
import { type InboundSettings, inboundSettings } from './settings.ts';

/** How a process takes connections on one of its ports; undefined = the name holds no address. Every port has an answer. */
export const inboundListener = (world: World, view: View, name: string): Listener | undefined => {
  const at = parseInboundName(name);
  if (at === undefined) return undefined;
  const settings = inboundSettings(world, view, at);
  return create(ListenerSchema, {
    name,
    address: socketAddress(at),
    filterChains: [...inboundChains(world, view, settings, applicationCluster(view, settings, at))],
    ...(view.kind === 'envoy' && needsInspector(settings) ? { listenerFilters: [TLS_INSPECTOR] } : {}),
    ...metadata(view, settings),
  });
};

/** gRPC compares it with where it listens (gRFC A36). */
const socketAddress = ({ address, port }: InboundAddress) =>
  ({
    address: { case: 'socketAddress', value: { address, portSpecifier: { case: 'portValue', value: port } } },
  }) as const;

const metadata = (view: View, { decidedBy, pool }: InboundSettings) => {
  const filterMetadata = {
    ...(decidedBy && { istio: { config: configPath(decidedBy) } }),
    ...requestLimit(pool, view),
  };
  return Object.keys(filterMetadata).length === 0 ? {} : { metadata: { filterMetadata } };
};

/** Envoy looks at the first bytes only when it is told to; a gRPC server refuses the filter. */
const needsInspector = ({ mode, tls }: InboundSettings): boolean => mode === 'PERMISSIVE' && tls === undefined;

const TLS_INSPECTOR = {
  name: 'envoy.filters.listener.tls_inspector',
  configType: { case: 'typedConfig', value: packAny(TlsInspectorSchema, {}) },
} as const;
