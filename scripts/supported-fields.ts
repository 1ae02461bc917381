import { FIELDS } from '../sdk/src/resource/field-table.ts';
import type { FieldRow } from '../sdk/src/resource/fields.ts';
import { KNOWN_KINDS } from '../xds-server/src/schema/kinds.ts';
import { fieldLedger, type LedgerRow } from '../xds-server/src/schema/ledger.ts';
import { capabilityOf } from '../xds-server/src/translate/capability/capabilities.ts';
import type { Capability, Cell } from '../xds-server/src/translate/capability/message-table.ts';
import { GRPC_CLIENTS, GRPC_TITLES } from '../xds-server/src/translate/client/grpc-client.ts';

/** The field ledger: every field of a served kind, and of an xDS message the SDK reads, with what becomes of it. */

type Table = (head: readonly string[], rows: readonly (readonly unknown[])[]) => string;

const INTRO = `# Supported fields

Printed from the code by \`npm run docs\`; a test fails when a field is in no state. A field that is in neither table is
unknown: in YAML it is an error at its line (the document keeps its last good version), in xDS it is accepted with a warning
(event \`xds-warning\`, \`mesh.csds()\`, the notes of \`mesh.explain()\`), or, inside TLS settings, refused.

| state | meaning |
| --- | --- |
| supported | it does what its documentation says |
| not yet enforced | understood and kept; a warning says so where it is written |
| ignored | accepted, with a warning: the reason stands beside it |
| no effect | accepted without a word: nothing here could depend on it |
| refused | the resource is rejected (NACK) and its last good version goes on |
| sent as | the control plane says it to this client in another way |

Other clients than the SDK read the same resources. What is refused by one is never sent to it; what of a rule it does not honour is said
by \`inmesh check\`, for services whose port speaks gRPC, and with the client's status by the control plane.
`;

function stateOf({ state }: LedgerRow): string {
  switch (state.kind) {
    case 'supported':
      return 'supported';
    case 'later':
      return 'not yet enforced';
    case 'ignored':
      return `ignored: ${state.because}`;
    case 'unused':
      return 'no effect';
  }
}

const reasonOf = (row: FieldRow): string => {
  if (row === 'supported') return row;
  if ('rejected' in row) return `refused: ${row.rejected}`;
  return row.ignored === 'not yet enforced' ? row.ignored : `ignored: ${row.ignored}`;
};

const cellText = (cell: Cell): string => {
  if (cell === 'supported') return cell;
  if ('ignored' in cell) return `ignored: ${cell.ignored}`;
  return 'rejected' in cell ? `refused: ${cell.rejected}` : `sent as ${cell.sentAs}`;
};

/** One text where the four agree. */
const grpcText = (cells: Capability): string => {
  const groups = [...Map.groupBy(GRPC_CLIENTS, (client) => cellText(cells[client]))];
  const [only] = groups;
  if (groups.length === 1 && only) return only[0];
  return groups.map(([text, clients]) => `${clients.map((one) => GRPC_TITLES[one]).join(', ')}: ${text}`).join('; ');
};

const othersTexts = (field: string): readonly string[] => {
  const cells = capabilityOf(field);
  return cells === undefined ? ['', ''] : [grpcText(cells), cellText(cells.envoy)];
};

const code = (text: string): string => `\`${text}\``;

function kindTables(table: Table): string {
  const kinds = Map.groupBy(fieldLedger(), ({ kind }) => kind);
  const sections = [...kinds].map(([kind, rows]) => {
    const cells = rows.map((row) => [code(row.path) + (row.required ? ' (required)' : ''), row.wants, stateOf(row)]);
    return `### ${kind}\n\n${table(['field', 'wants', 'state'], cells)}`;
  });
  const others = [...KNOWN_KINDS].map(([kind, { message }]) => [code(kind), message]);
  return `${sections.join('\n\n')}\n\n### Kinds accepted whole\n\n${table(['group/kind', 'state'], others)}`;
}

function messageTables(table: Table): string {
  const messages = Map.groupBy(Object.entries(FIELDS), ([name]) => name.slice(0, name.lastIndexOf('.')));
  const sections = [...messages]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([message, rows]) => {
      const cells = rows.map(([name, row]) => [
        code(name.slice(message.length + 1)),
        reasonOf(row),
        ...othersTexts(name),
      ]);
      return `### ${message}\n\n${table(['field', 'SDK', 'gRPC clients', 'Envoy'], cells)}`;
    });
  return sections.join('\n\n');
}

export const supportedFields = (table: Table): string =>
  `${INTRO}\n## Istio and Kubernetes, read by the control plane\n\n${kindTables(table)}\n\n## xDS, read by the SDK and by others\n\n${messageTables(table)}\n`;
