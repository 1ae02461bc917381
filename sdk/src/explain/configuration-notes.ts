import type { Discovery, ResourceStatus } from '../discovery/discovery.ts';

const shortName = (typeUrl: string): string => typeUrl.slice(typeUrl.lastIndexOf('.') + 1);

/** More of them say no more. */
const MOST = 10;

/** What is known against the resources of these names: asked for and not done, refused since, or kept from before. */
export function notesOnConfiguration(discovery: Discovery, names: ReadonlySet<string>): readonly string[] {
  const notes = discovery
    .status()
    .resources.filter(({ name }) => names.has(name))
    .flatMap(notesOn);
  return notes.length > MOST ? [...notes.slice(0, MOST), `and ${notes.length - MOST} more`] : notes;
}

function notesOn({ typeUrl, name, state, warnings, staleSinceMs }: ResourceStatus): readonly string[] {
  const subject = `${shortName(typeUrl)} "${name}"`;
  const notes = warnings.map((warning) => `${subject}: ${warning}`);
  if (state.kind === 'present' && state.rejected !== undefined) {
    notes.unshift(`${subject}: version ${state.version} goes on, a newer one was refused: ${state.rejected}`);
  }
  if (staleSinceMs !== undefined && state.kind === 'present') {
    const since = new Date(staleSinceMs).toISOString();
    notes.unshift(
      `${subject}: version ${state.version} from the snapshot on disk, sent at ${since}, not confirmed since`,
    );
  }
  return notes;
}
