import type { ConfigObject, ObjectKey } from '../schema/types.ts';
import { bySpecificity, isWildcard, resolveHost } from './names.ts';
import { byAge } from './rule-order.ts';
import { referencesOf } from './sidecar-destinations.ts';
import type { CallPolicy, RuleReads, VirtualService } from './world.ts';

export interface RuleChanges {
  /** Hosts for which `at` gives another list now. */
  readonly hosts: ReadonlySet<string>;
  readonly wildcards: boolean;
}

/** Rules of one kind by the hosts they name, completed; lists keep their identity until they change. */
export interface RuleIndex<R extends ConfigObject> extends RuleReads<R> {
  all(): Iterable<R>;
  /** A rule equal in content replaces the object without being a change: only its place in the file is another. */
  put(rule: R): RuleChanges;
  remove(key: ObjectKey): RuleChanges;
}

const NONE: readonly never[] = [];

export const createRuleIndex = <R extends ConfigObject>(
  hostsOf: (rule: R) => readonly string[],
  clusterDomain: string,
): RuleIndex<R> => createIndex((rule) => hostsOf(rule).map((host) => resolveHost(host, rule.namespace, clusterDomain)));

/** The same by what rules refer to. */
export const createReferenceIndex = (clusterDomain: string): RuleIndex<VirtualService> =>
  createIndex((rule) => referencesOf(rule, (host) => resolveHost(host, rule.namespace, clusterDomain)));

/** The same for rules that are looked up by their namespace. */
export const createNamespaceIndex = <R extends ConfigObject>(): RuleIndex<R> =>
  createIndex(({ namespace }) => [namespace]);

/** The same for policies, by the objects they are attached to. */
export const createTargetIndex = (): RuleIndex<CallPolicy> =>
  createIndex(({ namespace, spec }) => spec.targetRefs.map(({ kind, name }) => `${kind}/${namespace}/${name}`));

const createIndex = <R extends ConfigObject>(keysOf: (rule: R) => readonly string[]): RuleIndex<R> => {
  const rules = new Map<ObjectKey, R>();
  const byHost = new Map<string, readonly R[]>();
  let wildcards: readonly string[] = [];

  const hosts = (rule: R): ReadonlySet<string> => new Set(keysOf(rule));

  const edit = (host: string, list: readonly R[]): boolean => {
    const before = byHost.has(host);
    if (list.length === 0) byHost.delete(host);
    else byHost.set(host, list);
    return isWildcard(host) && before !== byHost.has(host);
  };

  const replace = (previous: R | undefined, next: R | undefined): RuleChanges => {
    const touched = new Set<string>();
    let wildcardsChanged = false;
    for (const host of previous ? hosts(previous) : []) {
      wildcardsChanged =
        edit(
          host,
          (byHost.get(host) ?? NONE).filter((rule) => rule.key !== previous?.key),
        ) || wildcardsChanged;
      touched.add(host);
    }
    for (const host of next ? hosts(next) : []) {
      if (next) wildcardsChanged = edit(host, [...(byHost.get(host) ?? NONE), next].sort(byAge)) || wildcardsChanged;
      touched.add(host);
    }
    if (wildcardsChanged) wildcards = [...byHost.keys()].filter(isWildcard).sort(bySpecificity);
    return { hosts: touched, wildcards: wildcardsChanged };
  };

  return {
    at: (host) => byHost.get(host) ?? NONE,
    wildcards: () => wildcards,
    get: (key) => rules.get(key),
    all: () => rules.values(),
    put(rule) {
      const previous = rules.get(rule.key);
      rules.set(rule.key, rule);
      return replace(previous, rule);
    },
    remove(key) {
      const previous = rules.get(key);
      rules.delete(key);
      return replace(previous, undefined);
    },
  };
};
