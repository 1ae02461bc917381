import { isWildcard } from '../names.ts';
import { isDefault } from '../sidecar-scope.ts';
import type { Sidecar, World } from '../world.ts';
import { type Finding, warning } from './finding.ts';
import { checkIngress } from './sidecar-ingress.ts';

/** What of a Sidecar will not happen as written. */
export const checkSidecar = (world: World, sidecar: Sidecar): readonly Finding[] => [
  ...checkTwin(world, sidecar),
  ...checkIngress(world, sidecar),
  ...sidecar.spec.egress.flatMap(({ hosts }, entry) =>
    hosts.flatMap((written, index) => checkHost(world, sidecar, written, `spec.egress[${entry}].hosts[${index}]`)),
  ),
];

/** A namespace has one Sidecar for all its workloads (Istio documents the behaviour of two as undefined). */
const checkTwin = (world: World, sidecar: Sidecar): readonly Finding[] => {
  const first = world.sidecars(sidecar.namespace).find(isDefault);
  if (!isDefault(sidecar) || first === undefined || first.key === sidecar.key) return [];
  const message = `no effect: Sidecar ${first.namespace}/${first.name} is there for the whole namespace already, want a workloadSelector`;
  return [{ severity: 'error', fieldPath: 'spec', message }];
};

/** A whole name that nobody has imports nothing. */
const checkHost = (world: World, { namespace }: Sidecar, written: string, path: string): readonly Finding[] => {
  const [where = '', host = ''] = written.toLowerCase().split('/');
  if (isWildcard(host) || where === '~') return [];
  const meant = where === '.' ? namespace : where;
  const found = world.services(host).some((service) => where === '*' || service.namespace === meant);
  const routed = world.virtualServices(host).some((rule) => where === '*' || rule.namespace === meant);
  if (found || routed) return [];
  const hint = host.includes('.') ? '' : ', want a full name or a wildcard';
  return [warning(path, `imports nothing: no service of namespace ${meant} has the host ${host}${hint}`)];
};
