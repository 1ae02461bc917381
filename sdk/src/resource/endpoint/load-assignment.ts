import {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
  type LbEndpoint,
  LbEndpointSchema,
  type LocalityLbEndpoints,
  LocalityLbEndpointsSchema,
} from '../../../gen/endpoint.js';
import { defaultOf } from '../../defaults.ts';
import type { Endpoint, LoadAssignment, LocalityEndpoints } from '../../model/cluster.ts';
import { parse } from '../any.ts';
import { FIELDS } from '../field-table.ts';
import { checkFields } from '../fields.ts';
import { trimmed } from '../lists.ts';
import { type DecodeSteps, resourceType } from '../resource-type.ts';
import { createFindings, Scope } from '../scope.ts';
import { sharedName, sharedValue } from '../shared.ts';
import { splitField } from '../split.ts';
import { fraction, inRange, required } from '../values.ts';
import { decodeEndpoint } from './endpoint.ts';
import { EndpointReader } from './read-endpoint.ts';

/** ClusterLoadAssignment.endpoints and LocalityLbEndpoints.lb_endpoints have the same number. */
const ENDPOINTS = 2;
const UINT32_MAX = 4_294_967_295;
/** Endpoints between two looks at the clock: about 0.1 ms, ten times that while the code is cold. */
const PER_STEP = 32;

/** EDS. */
export const loadAssignmentType = resourceType<LoadAssignment>(ClusterLoadAssignmentSchema.typeName, decodeSteps, {
  isKept: true,
});

function* decodeSteps(bytes: Uint8Array): DecodeSteps<LoadAssignment> {
  const findings = createFindings();
  const root = new Scope(findings);
  const { parts, rest } = yield* splitField(bytes, ENDPOINTS);
  const message = parse(ClusterLoadAssignmentSchema, rest, root);
  if (message === undefined) return { errors: findings.errors, name: '' };
  checkFields(ClusterLoadAssignmentSchema, message, FIELDS, root);
  const localities: LocalityEndpoints[] = [];
  for (const [index, part] of parts.entries()) {
    const locality = yield* decodeLocalityBytes(part, root.at('endpoints').at(index));
    if (locality !== undefined) localities.push(locality);
    yield;
  }
  const ok = assemble(message, localities, root);
  const name = message.clusterName;
  if (findings.errors.length > 0) return { errors: findings.errors, name };
  return { ok, name, warnings: findings.warnings };
}

function* decodeLocalityBytes(bytes: Uint8Array, at: Scope): Generator<undefined, LocalityEndpoints | undefined> {
  const { parts, rest } = yield* splitField(bytes, ENDPOINTS);
  yield;
  const message = parse(LocalityLbEndpointsSchema, rest, at);
  if (message === undefined) return undefined;
  checkFields(LocalityLbEndpointsSchema, message, FIELDS, at);
  const endpoints: Endpoint[] = [];
  const reader = new EndpointReader();
  const list = at.at('lb_endpoints');
  for (const [index, part] of parts.entries()) {
    const endpoint = reader.read(part) ?? decodeGenerically(part, list.at(index));
    if (endpoint !== undefined) endpoints.push(endpoint);
    if (index % PER_STEP === PER_STEP - 1) yield;
  }
  return decodeLocality(message, endpoints, at);
}

/** With a word on every field that is unknown, ignored or wrong. */
function decodeGenerically(bytes: Uint8Array, at: Scope): Endpoint | undefined {
  const message = parse(LbEndpointSchema, bytes, at);
  if (message === undefined) return undefined;
  checkFields(LbEndpointSchema, message, FIELDS, at);
  return decodeEndpoint(message, at);
}

/** The assignment inside a STATIC or DNS cluster, already parsed (and its fields checked) with the cluster. */
export function decodeAssignment(message: ClusterLoadAssignment, at: Scope): LoadAssignment {
  const localities = message.endpoints.map((locality, index) => {
    const here = at.at('endpoints').at(index);
    const decode = (endpoint: LbEndpoint, at2: number) => decodeEndpoint(endpoint, here.at('lb_endpoints').at(at2));
    return decodeLocality(locality, locality.lbEndpoints.map(decode), here);
  });
  return assemble(message, localities, at);
}

function decodeLocality(message: LocalityLbEndpoints, endpoints: readonly Endpoint[], at: Scope): LocalityEndpoints {
  const sum = endpoints.reduce((total, { weight }) => total + weight, 0);
  if (sum > UINT32_MAX) at.at('lb_endpoints').error(`the weights' sum is ${sum}, at most ${UINT32_MAX} allowed`);
  const { region = '', zone = '', subZone = '' } = message.locality ?? {};
  return {
    locality: sharedValue({ region, zone, subZone }),
    priority: inRange(message.priority, 0, 128, at.at('priority')),
    weight: message.loadBalancingWeight ?? 0,
    endpoints: trimmed(endpoints),
  };
}

function assemble(message: ClusterLoadAssignment, localities: readonly LocalityEndpoints[], at: Scope): LoadAssignment {
  const sums = new Map<number, number>();
  for (const { priority, weight } of localities) sums.set(priority, (sums.get(priority) ?? 0) + weight);
  for (const [priority, sum] of sums) {
    // Envoy LocalityLbEndpoints.load_balancing_weight: the sum within a priority must fit 32 bits.
    if (sum > UINT32_MAX)
      at.at('endpoints').error(
        `the locality weights of priority ${priority} sum up to ${sum}, at most ${UINT32_MAX} allowed`,
      );
  }
  const factor = message.policy?.overprovisioningFactor;
  if (factor === 0) at.at('policy').at('overprovisioning_factor').error('0, more than 0 allowed');
  const drops = (message.policy?.dropOverloads ?? []).map(({ category, dropPercentage }, index) => {
    const here = at.at('policy').at('drop_overloads').at(index);
    return {
      category: required(category, here.at('category')),
      fraction: fraction(dropPercentage, here.at('drop_percentage')),
    };
  });
  return {
    clusterName: sharedName(required(message.clusterName, at.at('cluster_name'))),
    localities: trimmed(localities),
    overprovisioningFactor: factor ?? defaultOf('overprovisioning'),
    ...(message.policy?.weightedPriorityHealth && { weightedPriorityHealth: true }),
    ...(drops.length > 0 && { drops }),
  };
}
