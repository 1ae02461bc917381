/**
 * Headers as one flat list in wire order: name, value, name, value, … Names are lower case. Repeated headers stay
 * repeated; readers join them with a comma (Envoy HeaderMatcher, gRFC A28). Never a plain object: a name from outside
 * must not reach a prototype.
 */
export type HeaderList = readonly string[];

/** What Envoy calls HeaderValueOption.append_action. */
export type AppendAction = 'append-or-add' | 'add-if-absent' | 'overwrite-or-add' | 'overwrite-if-present';

export interface HeaderSet {
  /** Lower case. */
  readonly name: string;
  /** May hold Envoy substitution formatters (`%DOWNSTREAM_…%`); an unknown one stays as written. */
  readonly value: string;
  readonly action: AppendAction;
  readonly keepEmpty: boolean;
}

/** Additions and removals of one level (route, virtual host, route configuration), applied in that order. */
export interface HeaderMutation {
  readonly set: readonly HeaderSet[];
  readonly remove: readonly string[];
}
