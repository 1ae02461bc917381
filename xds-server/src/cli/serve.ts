import { parseArgs } from 'node:util';
import { hostOf, isLoopback } from '../loopback.ts';
import { createXdsServer, type Listening, type XdsServer } from '../embedded.ts';
import { CONFIG_OPTIONS, folderOf, retryAttemptsOf, sourceOf } from './check.ts';
import { addressOf, type Command, plural } from './usage.ts';

const DEFAULT_XDS = '127.0.0.1:15010';
const DEFAULT_ADMIN = '127.0.0.1:15014';

const usage = `inmesh serve --config DIR [--mesh-config FILE] [--retry-attempts retries|calls] [--xds ADDRESS] [--admin ADDRESS] [--authority NAME]…

Serves the YAML in DIR over xDS and follows its edits.
  --mesh-config FILE  Istio's MeshConfig; without it the ConfigMap istio of istio-system in DIR
  --retry-attempts retries|calls  what attempts: N of a retry policy means: N retries after the first call (the default,
                   as in Istio's API reference), or N calls with it
  --xds ADDRESS    host:port or unix:PATH for ADS (${DEFAULT_XDS}); plaintext: keep it on loopback or a unix socket
  --admin ADDRESS  health, readiness, metrics, clients, problems, CSDS (${DEFAULT_ADMIN}); loopback only
  --authority NAME  serves xdstp://NAME/… too (gRFC A47)`;

const stamp = (): string => new Date().toISOString().slice(11, 23);

/** What was loaded, where it is served and what an application needs to join; then every change. */
function tell(server: XdsServer, folder: string, { xds, admin }: Listening): void {
  const { objects, services } = server.summary();
  const url = admin.startsWith('unix:') ? admin : `http://${admin}/`;
  process.stdout.write(`loaded ${plural(objects, 'object')}, ${plural(services, 'service')} from ${folder}\n`);
  process.stdout.write(`ADS    ${xds}\nadmin  ${url}\n\nan application joins with:  INMESH_XDS=${xds}\n\n`);
  server.onChange((change) => process.stdout.write(`${stamp()} ${change}\n`));
}

export const serve: Command = {
  summary: 'serves a folder of YAML over xDS',
  usage,
  async run(args) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        ...CONFIG_OPTIONS,
        xds: { type: 'string', default: DEFAULT_XDS },
        admin: { type: 'string', default: DEFAULT_ADMIN },
        authority: { type: 'string', multiple: true, default: [] },
      },
    });
    const folder = await folderOf(values.config);
    const stopped = new Promise<void>((stop) => {
      // Stays: a terminal's Ctrl-C may come twice, from the terminal and from a launcher that passes it on.
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop());
    });
    const addresses = { xds: addressOf(values.xds, '--xds'), admin: addressOf(values.admin, '--admin') };
    if (!addresses.xds.startsWith('unix:') && !isLoopback(hostOf(addresses.xds))) {
      process.stderr.write(`--xds ${values.xds}: plaintext, and whoever reaches it may read the mesh and join it\n`);
    }
    const retryAttempts = retryAttemptsOf(values['retry-attempts']);
    const source = sourceOf(folder, values['mesh-config']);
    const server = createXdsServer({ source, retryAttempts, authorities: ['', ...values.authority] });
    try {
      server.onProblem((problem) => process.stderr.write(`${problem}\n`));
      tell(server, folder, await server.listen(addresses));
      await stopped;
    } finally {
      await server.close();
    }
    return 0;
  },
};
