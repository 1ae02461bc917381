import { readFileSync } from 'node:fs';
import path from 'node:path';
import { toBinary } from '@bufbuild/protobuf';
import { ClusterSchema } from '../../sdk/gen/cluster.js';
import { ListenerSchema } from '../../sdk/gen/listener.js';
import { RouteConfigurationSchema } from '../../sdk/gen/route.js';
import type { ForwardAction } from '../../sdk/src/model/action.ts';
import { clusterType } from '../../sdk/src/resource/cluster/cluster.ts';
import { isInbound, listenerType } from '../../sdk/src/resource/listener/listener.ts';
import type { Decoded } from '../../sdk/src/resource/resource-type.ts';
import { routeConfigurationType } from '../../sdk/src/resource/route/route-configuration.ts';
import { compileRouteTable } from '../../sdk/src/route/compile.ts';
import { decide } from '../../sdk/src/route/decide.ts';
import { decideConnection } from '../../sdk/src/route/l4.ts';
import { chooseCluster } from '../../sdk/src/route/split.ts';
import { parseText } from '../../xds-server/src/schema/parse.ts';
import { problemLine } from '../../xds-server/src/schema/problem.ts';
import { cluster } from '../../xds-server/src/translate/cluster/cluster.ts';
import { viewFrom, worldFromObjects } from '../../xds-server/src/translate/fixtures/world-from-yaml.ts';
import { inboundListener } from '../../xds-server/src/translate/inbound/listener.ts';
import { listener } from '../../xds-server/src/translate/listener.ts';
import { routeConfiguration } from '../../xds-server/src/translate/route/route-configuration.ts';
import type { View } from '../../xds-server/src/translate/view.ts';

/** Files of test/fixtures/istio: YAML as people write it for Istio, read, translated, and decoded as a client does. */
const FOLDER = path.join(import.meta.dirname, '..', 'fixtures', 'istio');

const parsed = (file: string) => parseText(readFileSync(path.join(FOLDER, file), 'utf8'), file);

/** Every problem of one file, as the command prints them. */
export const problemsOf = (file: string): readonly string[] => parsed(file).problems.map(problemLine);

const accepted = <T>(decoded: Decoded<T>): T => {
  if ('errors' in decoded) throw new Error(decoded.errors.join('\n'));
  if (decoded.warnings.length > 0) throw new Error(decoded.warnings.join('\n'));
  return decoded.ok;
};

interface Asked {
  readonly path?: string;
  readonly headers?: readonly string[];
  /** For splits. */
  readonly draw?: number;
}

/** A client of a mesh made of these files. */
export const client = (files: readonly string[], parts: Partial<View> & { readonly namespace?: string } = {}) => {
  const world = worldFromObjects(files.flatMap((file) => parsed(file).objects));
  const view = viewFrom(parts.namespace ?? 'default', parts);
  const listenerOf = (target: string) => {
    const made = listener(world, view, target);
    const found = made && accepted(listenerType.decode(toBinary(ListenerSchema, made)));
    return found === undefined || isInbound(found) ? undefined : found;
  };
  const ask = (target: string, { path: asked = '/', headers = [] }: Asked) => {
    const routes = listenerOf(target)?.routes;
    if (routes?.kind !== 'rds') throw new Error(`no routes for ${target}`);
    const made = routeConfiguration(world, view, routes.routeConfigurationName);
    if (made === undefined) throw new Error(`no ${routes.routeConfigurationName}`);
    const bytes = toBinary(RouteConfigurationSchema, made.configuration);
    const table = compileRouteTable(accepted(routeConfigurationType.decode(bytes)));
    const decision = decide(table, { method: 'GET', scheme: 'http', authority: target, path: asked, headers }, () => 0);
    if (decision.kind !== 'route' || decision.action.kind !== 'forward') throw new Error(`${target}: ${decision.kind}`);
    return decision.action;
  };
  return {
    knows: (target: string): boolean => listenerOf(target) !== undefined,
    action: (target: string, asked: Asked = {}): ForwardAction => ask(target, asked),
    cluster: (target: string, asked: Asked = {}): string | undefined =>
      chooseCluster(ask(target, asked), asked.draw ?? 0)?.name,
    connection: (target: string, serverName: string): string => {
      const table = listenerOf(target)?.connections;
      const decision = decideConnection(table ?? { chains: [] }, { serverName, port: 443 }, 0);
      return decision.kind === 'connect' ? decision.cluster : decision.kind;
    },
    /** How one of its own ports takes connections. */
    inbound: (port: number) => {
      const made = inboundListener(world, view, `xds.istio.io/grpc/lds/inbound/0.0.0.0:${port}`);
      const found = made && accepted(listenerType.decode(toBinary(ListenerSchema, made)));
      return found !== undefined && isInbound(found) ? found : undefined;
    },
    clusterConfig: (name: string) => {
      const made = cluster(world, view, name);
      return made && accepted(clusterType.decode(toBinary(ClusterSchema, made)));
    },
  };
};
