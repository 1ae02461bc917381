import path from 'node:path';

/** Under the working directory; `inmesh serve` makes it, the other commands find it there. */
export const DEFAULT_CA_DIRECTORY: string = path.join('.inmesh', 'ca');
