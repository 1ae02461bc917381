import { MESH_CONFIG_MAP } from '../schema/object.ts';
import type { AnyObject, ChangeEvent, ConfigObject, ObjectKey } from '../schema/types.ts';
import { type MeshOptions, type MeshSettings, meshSettings } from './mesh-settings.ts';
import { relevanceOf } from './relevance.ts';
import {
  createNamespaceIndex,
  createReferenceIndex,
  createRuleIndex,
  createTargetIndex,
  type RuleChanges,
  type RuleIndex,
} from './rule-index.ts';
import type { Relevance } from './view.ts';
import type { CallPolicy, DestinationRule, PeerAuthentication, Secret, Sidecar, VirtualService } from './world.ts';

/** The ways rules are looked up. */
interface RuleIndexes {
  readonly virtualServices: RuleIndex<VirtualService>;
  /** The same by what they refer to. */
  readonly references: RuleIndex<VirtualService>;
  readonly destinationRules: RuleIndex<DestinationRule>;
  /** By namespace. */
  readonly sidecars: RuleIndex<Sidecar>;
  /** By namespace. */
  readonly peerAuthentications: RuleIndex<PeerAuthentication>;
  /** By namespace; asked for by name. */
  readonly secrets: RuleIndex<Secret>;
  /** By target. */
  readonly callPolicies: RuleIndex<CallPolicy>;
}

export type Rule = VirtualService | DestinationRule | Sidecar | CallPolicy | PeerAuthentication | Secret;

export interface IndexChanges extends RuleChanges {
  readonly index: keyof RuleIndexes;
}

/** The rules as they are now. */
export interface Rules extends RuleIndexes {
  get(key: ObjectKey): Rule | undefined;
  all(): readonly Rule[];
  /** The same object until the MeshConfig says something else. */
  mesh(): MeshSettings;
  /** Empty: the event is about something else, or only moves an object in its file. */
  apply(event: ChangeEvent): readonly IndexChanges[];
  relevance(): Relevance;
}

/** Those that hold each rule once. */
const SOURCES = [
  'virtualServices',
  'destinationRules',
  'sidecars',
  'peerAuthentications',
  'secrets',
  'callPolicies',
] as const satisfies readonly (keyof RuleIndexes)[];
const INDEXES = [...SOURCES, 'references'] as const satisfies readonly (keyof RuleIndexes)[];

const MESH_CONFIG: ObjectKey = `ConfigMap/${MESH_CONFIG_MAP}`;

export const createRules = (clusterDomain: string, options: MeshOptions = {}): Rules => {
  const indexes: RuleIndexes = {
    virtualServices: createRuleIndex<VirtualService>(({ spec }) => spec.hosts, clusterDomain),
    references: createReferenceIndex(clusterDomain),
    destinationRules: createRuleIndex<DestinationRule>(({ spec }) => [spec.host], clusterDomain),
    sidecars: createNamespaceIndex<Sidecar>(),
    peerAuthentications: createNamespaceIndex<PeerAuthentication>(),
    secrets: createNamespaceIndex<Secret>(),
    callPolicies: createTargetIndex(),
  };
  const { virtualServices, references, destinationRules, sidecars, peerAuthentications, callPolicies } = indexes;
  let config: ConfigObject<'ConfigMap'> | undefined;
  let mesh = meshSettings(undefined, options);
  const configure = (next: ConfigObject<'ConfigMap'> | undefined): void => {
    if (next?.contentHash !== config?.contentHash) mesh = meshSettings(next?.spec.data.mesh, options);
    config = next;
  };
  const put = (object: AnyObject): readonly IndexChanges[] => {
    switch (object.kind) {
      case 'VirtualService':
        return [
          { index: 'virtualServices', ...virtualServices.put(object) },
          { index: 'references', ...references.put(object) },
        ];
      case 'DestinationRule':
        return [{ index: 'destinationRules', ...destinationRules.put(object) }];
      case 'Sidecar':
        return [{ index: 'sidecars', ...sidecars.put(object) }];
      case 'PeerAuthentication':
        return [{ index: 'peerAuthentications', ...peerAuthentications.put(object) }];
      case 'Secret':
        return [{ index: 'secrets', ...indexes.secrets.put(object) }];
      case 'CallPolicy':
        return [{ index: 'callPolicies', ...callPolicies.put(object) }];
      case 'ConfigMap':
        configure(object);
        return [];
      default:
        return [];
    }
  };
  const remove = (key: ObjectKey): readonly IndexChanges[] => {
    if (key === MESH_CONFIG) configure(undefined);
    return INDEXES.flatMap((index) =>
      indexes[index].get(key) === undefined ? [] : [{ index, ...indexes[index].remove(key) }],
    );
  };
  return {
    ...indexes,
    get: (key) => SOURCES.map((index) => indexes[index].get(key)).find((rule) => rule !== undefined),
    all: () => SOURCES.flatMap((index): readonly Rule[] => [...indexes[index].all()]),
    mesh: () => mesh,
    apply: (event) => (event.kind === 'upsert' ? put(event.object) : remove(event.key)),
    relevance: () =>
      relevanceOf({
        virtualServices: virtualServices.all(),
        destinationRules: destinationRules.all(),
        sidecars: sidecars.all(),
        peerAuthentications: peerAuthentications.all(),
        mesh,
      }),
  };
};
