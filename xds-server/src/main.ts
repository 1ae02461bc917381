import { commands } from './cli/commands.ts';
import { UsageError } from './cli/usage.ts';

const NAMES = Object.keys(commands).join(', ');

function overview(): string {
  const lines = Object.entries(commands).map(([name, { summary }]) => `  inmesh ${name.padEnd(9)} ${summary}`);
  return `inmesh: a service mesh inside the process, steered by Istio YAML\n\n${lines.join('\n')}\n\ninmesh COMMAND --help tells more.\n`;
}

/** Runs the command line and gives the exit code: 0 well, 1 what was asked failed, 2 it was asked wrongly. */
export async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(overview());
    return name === undefined ? 2 : 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    process.stderr.write(`inmesh: unknown command "${name}", want one of ${NAMES}\n`);
    return 2;
  }
  const own = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
  if (own.includes('--help') || own.includes('-h')) {
    process.stdout.write(`${command.usage}\n`);
    return 0;
  }
  try {
    return await command.run(rest);
  } catch (error) {
    const usage =
      error instanceof UsageError ||
      (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'));
    process.stderr.write(`inmesh ${name}: ${error instanceof Error ? error.message : String(error)}\n`);
    if (usage) process.stderr.write(`\n${command.usage}\n`);
    return usage ? 2 : 1;
  }
}
