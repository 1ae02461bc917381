import { lstatSync, rmSync } from 'node:fs';
import { connect } from 'node:net';

const PREFIX = 'unix:';

/** The path of `unix:PATH`, undefined for any other address. */
export const unixPath = (address: string): string | undefined =>
  address.startsWith(PREFIX) ? address.slice(PREFIX.length) : undefined;

function isAnswered(file: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(file);
    const done = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}

/** A socket file that a killed process left behind would make listening fail. Only a socket that nobody answers is removed. */
export async function removeStaleSocket(file: string): Promise<void> {
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (found?.isSocket() && !(await isAnswered(file))) rmSync(file, { force: true });
}
