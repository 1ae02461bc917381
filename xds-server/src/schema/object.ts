import { contentHash } from './content-hash.ts';
import { KINDS, type KindTable, KNOWN_KINDS, type KnownKind, OWN_GROUPS, STATUS } from './kinds.ts';
import { Findings, Place, type Plain } from './place.ts';
import { objectTitle } from './problem.ts';
import { isForeignSecret } from './secret-kind.ts';
import { nearest } from './suggest.ts';
import { type Metadata, metadata } from './tables/metadata.ts';
import { mismatch, nonEmptyText } from './type.ts';
import type { AnyObject, Kind, ObjectKey } from './types.ts';

/** An object before it has a place in a file. */
export type Draft = Omit<AnyObject, 'origin'>;

export interface ReadObject {
  /** There when nothing is wrong with it. */
  readonly draft?: Draft;
  /** Who it is, as far as that can be read although something is wrong with it. */
  readonly key?: ObjectKey;
  readonly title?: string;
  readonly findings: Findings;
}

type PlainMap = ReadonlyMap<string, Plain>;

/** Reads one Kubernetes object: table, rules between fields, metadata. Never throws. */
export const readObject = (value: Plain): ReadObject => {
  const findings = new Findings();
  const place = new Place(findings);
  if (!(value instanceof Map)) {
    place.error(mismatch(value, 'a Kubernetes object with apiVersion, kind and metadata'));
    return { findings };
  }
  const kind = value.get('kind');
  const apiVersion = value.get('apiVersion');
  if (typeof kind !== 'string' || typeof apiVersion !== 'string') {
    for (const name of ['apiVersion', 'kind'] as const) {
      if (value.has(name)) nonEmptyText.read(value.get(name) ?? null, place.at(name));
      else place.error(`${name} is missing, want a Kubernetes object with apiVersion, kind and metadata`);
    }
    return { findings };
  }
  const title = objectTitle(kind, ...nameOf(value, kind));
  if (!isKind(kind) || !sameGroup(kind, apiVersion) || isForeign(value, kind)) {
    refuseKind(kind, apiVersion, place);
    return { findings, title };
  }
  return { ...readKnown(kind, apiVersion, value, place), findings, title };
};

const isKind = (kind: string): kind is Kind => Object.hasOwn(KINDS, kind);

/** Every other ConfigMap, and a Secret that holds no certificate, is some application's. */
const isForeign = (value: PlainMap, kind: Kind): boolean =>
  (kind === 'ConfigMap' && nameOf(value, kind).join('/') !== MESH_CONFIG_MAP) ||
  (kind === 'Secret' && isForeignSecret(value));

/** Istio's: `data.mesh` is its MeshConfig. */
export const MESH_CONFIG_MAP = 'istio-system/istio';

const groupOf = (apiVersion: string): string => (apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '');

/** gateway.networking.k8s.io has kinds of its own with names that Istio uses too. */
const sameGroup = (kind: Kind, apiVersion: string): boolean =>
  KINDS[kind].apiVersions.some((served) => groupOf(served) === groupOf(apiVersion));

const refuseKind = (kind: string, apiVersion: string, place: Place): void => {
  const group = groupOf(apiVersion);
  const known: KnownKind | undefined = KNOWN_KINDS.get(`${group}/${kind}`);
  if (known !== undefined) {
    place.warn(known.message, known.severity);
    return;
  }
  if (isKind(kind)) {
    place
      .at('apiVersion')
      .error(`got ${JSON.stringify(apiVersion)}, ${kind} wants ${KINDS[kind].apiVersions.join(' or ')}`);
    return;
  }
  const candidates = [...Object.keys(KINDS), ...[...KNOWN_KINDS.keys()].map((name) => name.split('/')[1] ?? '')];
  const meant = nearest(kind, candidates);
  const hint = meant === undefined ? '' : `, did you mean ${meant}?`;
  if (OWN_GROUPS.has(group)) place.at('kind').error(`unknown kind of ${apiVersion}${hint}`);
  else place.warn(`kind of ${apiVersion} is not known here and not used${hint}`);
};

/** Namespace and name as far as they can be read, for titles and keys. */
const nameOf = (value: PlainMap, kind: string): readonly [namespace: string, name: string] => {
  const meta = value.get('metadata');
  const field = (name: string): string => {
    const given = meta instanceof Map ? meta.get(name) : undefined;
    return typeof given === 'string' ? given : '';
  };
  const scoped = isKind(kind) && KINDS[kind].clusterScoped;
  return [scoped ? '' : field('namespace') || 'default', field('name') || '?'];
};

const readKnown = (
  kind: Kind,
  apiVersion: string,
  value: PlainMap,
  place: Place,
): { readonly draft?: Draft; readonly key?: ObjectKey } => {
  const table: KindTable = KINDS[kind];
  const [namespace, name] = nameOf(value, kind);
  const key: ObjectKey = `${kind}/${namespace}/${name}`;
  if (!table.apiVersions.includes(apiVersion)) {
    place.at('apiVersion').error(`got ${JSON.stringify(apiVersion)}, ${kind} wants ${table.apiVersions.join(' or ')}`);
    // Another version may have other fields: one error says it all.
    return name === '?' ? {} : { key };
  }
  const meta = readMetadata(value.get('metadata') ?? null, table, place.at('metadata'));
  const spec = readSpec(table, value, place);
  const status = kind === 'Pod' ? STATUS.Pod.read(value.get('status') ?? new Map(), place.at('status')) : undefined;
  if (place.errors > 0 || meta === undefined || spec === undefined) return name === '?' ? {} : { key };
  const { labels, annotations, creationTimestamp, uid } = meta;
  const creationTime = creationTimestamp === undefined ? undefined : Date.parse(creationTimestamp);
  const content = {
    kind,
    apiVersion,
    name,
    namespace,
    labels,
    annotations: withoutNoise(annotations),
    ...(creationTime !== undefined && { creationTime }),
    // Of other kinds it changes nothing, and another uid would make another object of them.
    ...(kind === 'Pod' && uid !== undefined && { uid }),
    spec,
    ...(status !== undefined && { status }),
    key,
  };
  // The table that read `spec` is the one of `kind`; the compiler cannot follow that through the union.
  return { key, draft: { ...content, contentHash: contentHash(content) } as Draft };
};

/** A copy of the whole object that kubectl leaves behind. */
const NOISE = 'kubectl.kubernetes.io/last-applied-configuration';

const withoutNoise = (annotations: ReadonlyMap<string, string>): ReadonlyMap<string, string> =>
  annotations.has(NOISE) ? new Map([...annotations].filter(([name]) => name !== NOISE)) : annotations;

const readMetadata = (value: Plain, table: KindTable, place: Place): Metadata | undefined => {
  if (value === null) return place.error('name is missing, want metadata with a name');
  const meta = metadata.read(value, place);
  if (meta === undefined) return undefined;
  if (meta.name === undefined) return place.error(`name is missing, want ${table.name.wants}`);
  return table.name.read(meta.name, place.at('name')) === undefined ? undefined : meta;
};

const FRAME: readonly string[] = ['apiVersion', 'kind', 'metadata', 'status'];

const readSpec = (table: KindTable, value: PlainMap, place: Place): AnyObject['spec'] | undefined => {
  if (table.layout === 'top') {
    return table.spec.read(new Map([...value].filter(([name]) => !FRAME.includes(name))), place);
  }
  for (const name of value.keys()) {
    if (FRAME.includes(name) || name === 'spec') continue;
    const meant = nearest(name, table.spec.fields?.keys() ?? []) === name ? `, did you mean spec.${name}?` : '';
    place.at(name).error(`unknown field${meant || ', want one of apiVersion, kind, metadata, spec'}`);
  }
  const spec = value.get('spec') ?? null;
  if (spec === null && table.specRequired) return place.error('spec is missing, want a mapping');
  return table.spec.read(spec ?? new Map(), place.at('spec'));
};
