import { bootstrap } from './bootstrap.ts';
import { ca } from './ca.ts';
import { cert } from './cert.ts';
import { check } from './check.ts';
import { explain } from './explain.ts';
import { init } from './init.ts';
import { run } from './run.ts';
import { serve } from './serve.ts';
import { token } from './token.ts';
import type { Command } from './usage.ts';

export const commands: Readonly<Record<string, Command>> = {
  init,
  serve,
  check,
  run,
  explain,
  bootstrap,
  token,
  cert,
  ca,
};
