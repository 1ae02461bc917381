import { create } from '@bufbuild/protobuf';
import { type RouteSources, RouteSourcesSchema } from '@inmesh/sdk/internal/gen/inmesh';
import type { ObjectKey, Origin } from '../../schema/types.ts';
import type { TranslatedRoutes } from './route-configuration.ts';

/** Where each route of a configuration was written: the side table that explain asks for. */
export const routeSources = (
  routes: TranslatedRoutes,
  originOf: (object: ObjectKey) => Origin | undefined,
): RouteSources =>
  create(RouteSourcesSchema, {
    routeConfiguration: routes.configuration.name,
    routes: routes.routes.map(({ origin, notes }, routeIndex) => {
      const place = origin && originOf(origin.object);
      return {
        virtualHost: routes.virtualHost,
        routeIndex,
        resource: origin?.resource ?? '',
        fieldPath: origin?.fieldPath ?? '',
        file: place?.file ?? '',
        line: origin && place ? place.line(origin.fieldPath) : 0,
        notes: [...notes],
      };
    }),
  });
