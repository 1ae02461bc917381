import type { Graph } from '../graph/graph.ts';
import { byPosition, objectTitle } from '../schema/problem.ts';
import type { ConfigObject, ObjectKey, Problem } from '../schema/types.ts';
import { checkCallPolicy } from '../translate/check/call-policy.ts';
import { checkDestinationRule } from '../translate/check/destination-rule.ts';
import type { Finding } from '../translate/check/finding.ts';
import { checkPeerAuthentication } from '../translate/check/peer-authentication.ts';
import { checkSidecar } from '../translate/check/sidecar.ts';
import { checkVirtualService } from '../translate/check/virtual-service.ts';
import type { Rule, Rules } from '../translate/rules.ts';
import type { World } from '../translate/world.ts';
import type { WorldCells } from './world-cells.ts';

/** What every rule says that will not happen as written, with file and line; checked again only where it may differ. */
export const createFindings = (graph: Graph, cells: WorldCells, rules: Rules): (() => readonly Problem[]) => {
  const findings = graph.deriveds('findings', (read, key: ObjectKey): readonly Finding[] => {
    const rule = read(cells.rule.at(key));
    return rule === undefined ? [] : check(cells.world(read), rule);
  });
  return () => {
    return rules
      .all()
      .flatMap((rule) =>
        findings
          .at(rule.key)
          .get()
          .map((finding) => toProblem(rule, finding)),
      )
      .sort(byPosition);
  };
};

const check = (world: World, rule: Rule): readonly Finding[] => {
  try {
    switch (rule.kind) {
      case 'VirtualService':
        return checkVirtualService(world, rule);
      case 'DestinationRule':
        return checkDestinationRule(world, rule);
      case 'Sidecar':
        return checkSidecar(world, rule);
      case 'PeerAuthentication':
        return checkPeerAuthentication(world, rule);
      case 'Secret':
        return [];
      case 'CallPolicy':
        return checkCallPolicy(world, rule);
    }
  } catch (error) {
    // Only an object that no schema has checked comes here; the others are checked all the same.
    const message = `cannot be checked: ${error instanceof Error ? error.message : String(error)}`;
    return [{ severity: 'error', fieldPath: '', message }];
  }
};

const toProblem = ({ kind, namespace, name, origin }: ConfigObject, finding: Finding): Problem => ({
  ...finding,
  file: origin.file,
  line: origin.line(finding.fieldPath),
  object: objectTitle(kind, namespace, name),
});
