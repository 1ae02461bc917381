import { create } from '@bufbuild/protobuf';
import {
  HTTPFaultSchema,
  HttpConnectionManagerSchema,
  type HttpFilterSchema,
  type Listener,
  ListenerSchema,
  RouterSchema,
} from '@inmesh/sdk/internal/gen/listener';
import { routeConfigurationName } from './names.ts';
import { ADS, type Fields, packAny } from './proto.ts';
import { FAULT_FILTER } from './route/fault.ts';
import { injectsFaults, routeConfiguration } from './route/route-configuration.ts';
import { targetByAddress } from './service-lookup.ts';
import type { View } from './view.ts';
import type { World } from './world.ts';

type FilterFields = Fields<typeof HttpFilterSchema>;

const ROUTER: FilterFields = {
  name: 'envoy.filters.http.router',
  configType: { case: 'typedConfig', value: packAny(RouterSchema, {}) },
};

/** Empty: it only lets the routes bring faults of their own. */
const FAULT: FilterFields = {
  name: FAULT_FILTER,
  configType: { case: 'typedConfig', value: packAny(HTTPFaultSchema, {}) },
};

/** What a client asks for first, under the name it dials (`reviews:9080`); undefined = the mesh does not know it. */
export const listener = (world: World, view: View, name: string): Listener | undefined => {
  const target = targetByAddress(world, view, name);
  if (target === undefined) return undefined;
  const routeConfigName = routeConfigurationName(target.port, target.host);
  const routes = routeConfiguration(world, view, routeConfigName);
  const faults = routes !== undefined && injectsFaults(routes);
  const manager = packAny(HttpConnectionManagerSchema, {
    statPrefix: routeConfigName,
    routeSpecifier: { case: 'rds', value: { configSource: ADS, routeConfigName } },
    httpFilters: faults ? [FAULT, ROUTER] : [ROUTER],
  });
  return create(ListenerSchema, { name, apiListener: { apiListener: manager } });
};
