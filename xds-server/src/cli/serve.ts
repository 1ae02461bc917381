import { parseArgs } from 'node:util';
import { createXdsServer } from '../embedded.ts';
import { watchFiles } from '../source/files.ts';
import { folderOf } from './check.ts';
import { type Command, plural } from './usage.ts';

const DEFAULT_XDS = '127.0.0.1:15010';
const DEFAULT_ADMIN = '127.0.0.1:15014';

const usage = `inmesh serve --config DIR [--xds ADDRESS] [--admin ADDRESS]

Serves the YAML in DIR over xDS and follows its edits.
  --xds ADDRESS    host:port or unix:PATH for ADS (${DEFAULT_XDS}); plaintext: keep it on loopback or a unix socket
  --admin ADDRESS  health, readiness, metrics, clients, problems (${DEFAULT_ADMIN}); loopback only`;

const stamp = (): string => new Date().toISOString().slice(11, 23);

export const serve: Command = {
  summary: 'serves a folder of YAML over xDS',
  usage,
  async run(args) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        config: { type: 'string' },
        xds: { type: 'string', default: DEFAULT_XDS },
        admin: { type: 'string', default: DEFAULT_ADMIN },
      },
    });
    const folder = await folderOf(values.config);
    const stopped = new Promise<void>((stop) => {
      // Stays: a terminal's Ctrl-C may come twice, from the terminal and from a launcher that passes it on.
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop());
    });
    const server = createXdsServer({ source: watchFiles(folder) });
    server.onProblem((problem) => process.stderr.write(`${problem}\n`));
    const { xds, admin } = await server.listen({ xds: values.xds, admin: values.admin });
    const { objects, services } = server.summary();
    process.stdout.write(`loaded ${plural(objects, 'object')}, ${plural(services, 'service')} from ${folder}\n`);
    process.stdout.write(`ADS    ${xds}\nadmin  ${admin.startsWith('unix:') ? admin : `http://${admin}/`}\n\n`);
    process.stdout.write(`an application joins with:  INMESH_XDS=${xds}\n\n`);
    server.onChange((change) => process.stdout.write(`${stamp()} ${change}\n`));
    await stopped;
    await server.close();
    return 0;
  },
};
