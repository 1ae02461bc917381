import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type Command, UsageError } from './usage.ts';

const TEMPLATE = `# A mesh in Istio's words: one service, two versions, a split between them.
# Serve it with: inmesh serve --config THIS_FOLDER      Look it over with: inmesh check --config THIS_FOLDER

# What callers dial: http://greeter:8080/. No endpoint is written here: processes register themselves while they run
# (inmesh run --service greeter --port 3001 --version v1 -- COMMAND).
apiVersion: v1
kind: Service
metadata:
  name: greeter
spec:
  ports:
    - name: http # the name (or appProtocol) says which protocol is spoken
      port: 8080
  selector:
    app: greeter
---
# The versions of greeter, told apart by label.
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: greeter
spec:
  host: greeter
  subsets:
    - name: v1
      labels:
        version: v1
    - name: v2
      labels:
        version: v2
---
# Who gets which version. Rules are tried in order, the first that matches decides.
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: greeter
spec:
  hosts:
    - greeter
  http:
    # Testers choose v2 by a header.
    - name: testers
      match:
        - headers:
            x-tester:
              exact: "yes"
      route:
        - destination:
            host: greeter
            subset: v2
    # Everyone else: edit the weights while it runs.
    - name: everyone
      route:
        - destination:
            host: greeter
            subset: v1
          weight: 90
        - destination:
            host: greeter
            subset: v2
          weight: 10
`;

const usage = `inmesh init [DIR]

Writes DIR/mesh.yaml (DIR: the current folder), a commented mesh of one service in two versions. Never overwrites.`;

export const init: Command = {
  summary: 'writes a commented mesh.yaml to start from',
  usage,
  async run(args) {
    const { positionals } = parseArgs({ args: [...args], allowPositionals: true, options: {} });
    if (positionals.length > 1) throw new UsageError(`got ${positionals.length} folders, want at most one`);
    const folder = path.resolve(positionals[0] ?? '.');
    const file = path.join(folder, 'mesh.yaml');
    if (existsSync(file)) throw new Error(`${file} is there already and stays as it is`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, TEMPLATE, { flag: 'wx' });
    process.stdout.write(`wrote ${file}\nnext: inmesh serve --config ${path.relative('.', folder) || '.'}\n`);
    return 0;
  },
};
