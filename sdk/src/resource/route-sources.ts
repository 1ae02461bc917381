import { RouteSourcesSchema } from '../../gen/inmesh.js';
import { parse } from './any.ts';
import { type DecodeSteps, resourceType } from './resource-type.ts';
import { createFindings, Scope } from './scope.ts';

/** Where one route was written; asked for while explaining only. */
export interface RouteSource {
  readonly virtualHost: string;
  readonly routeIndex: number;
  /** "Kind namespace/name". */
  readonly resource: string;
  readonly fieldPath: string;
  readonly file: string | undefined;
  /** 1-based. */
  readonly line: number | undefined;
  readonly notes: readonly string[];
}

export interface RouteSources {
  readonly routeConfiguration: string;
  readonly routes: readonly RouteSource[];
}

/** The side table of a route configuration, under the same name (sdk/proto/inmesh/v1/sources.proto). */
export const routeSourcesType = resourceType<RouteSources>(RouteSourcesSchema.typeName, decodeSteps);

function* decodeSteps(bytes: Uint8Array): DecodeSteps<RouteSources> {
  const findings = createFindings();
  const message = parse(RouteSourcesSchema, bytes, new Scope(findings));
  if (message === undefined) return { errors: findings.errors, name: '' };
  const routes = message.routes.map(({ virtualHost, routeIndex, resource, fieldPath, file, line, notes }) => ({
    virtualHost,
    routeIndex,
    resource,
    fieldPath,
    file: file || undefined,
    line: line || undefined,
    notes,
  }));
  const { routeConfiguration } = message;
  return { ok: { routeConfiguration, routes }, name: routeConfiguration, warnings: findings.warnings };
}
