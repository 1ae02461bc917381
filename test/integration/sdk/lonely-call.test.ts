import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const program = fileURLToPath(new URL('lonely-call.fixture.ts', import.meta.url));

it.each([
  ['the pause before a retry', 'retries: { attempts: 2, retryOn: connect-failure, backoff: 100ms }', '503 3'],
  [
    'the delay of a fault',
    'fault: { delay: { fixedDelay: 100ms, percentage: { value: 100 } } }, retries: { attempts: 0 }',
    '503 1',
  ],
])('a process does not end in %s', async (_, policy, told) => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=source', program, policy]);
  expect(stdout).toBe(told);
});
