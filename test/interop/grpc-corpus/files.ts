import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseText } from '../../../xds-server/src/schema/parse.ts';
import type { AnyObject } from '../../../xds-server/src/schema/types.ts';

/** YAML as people write it: the fixtures, the example with each of its scenarios, every block of the guides. */

const ROOT = path.join(import.meta.dirname, '..', '..', '..');
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');
const list = (pattern: string): readonly string[] => globSync(pattern, { cwd: ROOT }).sort();
const together = (...texts: readonly string[]): string => texts.join('\n---\n');

export interface CorpusFile {
  readonly name: string;
  readonly yaml: string;
}

const FIXTURE_SERVICES = 'test/fixtures/istio/services.yaml';
const BOOKINFO = together(...list('examples/bookinfo/mesh/{services,peer-authentication}.yaml').map(read));

/** Whose rules another one needs: the subsets it names. */
const NEEDS: Readonly<Record<string, readonly string[]>> = {
  '05-one-user-sees-the-next-version': ['test/fixtures/istio/06-limits-and-ejection.yaml'],
};

const fixtures = list('test/fixtures/istio/*.yaml')
  .filter((file) => file !== FIXTURE_SERVICES)
  .map((file) => {
    const name = path.basename(file, '.yaml');
    return { name, yaml: together(...[FIXTURE_SERVICES, ...(NEEDS[name] ?? []), file].map(read)) };
  });

const scenarios = [...list('examples/bookinfo/scenarios/*.yaml'), 'examples/bookinfo/mesh/reviews.yaml'].map(
  (file) => ({
    name: `bookinfo ${path.basename(file, '.yaml')}`,
    yaml: together(BOOKINFO, read(file)),
  }),
);

/** Objects in the text of a guide, on top of what they speak of. */
const guides = ['README.md', ...list('docs/**/*.md')].flatMap((file) =>
  [...read(file).matchAll(/^```yaml\n([\s\S]*?)^```/gm)]
    .map(([, block = '']) => block)
    .filter((block) => /^apiVersion:/m.test(block))
    .map((block, index) => ({
      name: `${file}, block ${index + 1}`,
      yaml: together(BOOKINFO, read('examples/bookinfo/scenarios/v1-v3-50-50.yaml'), read(FIXTURE_SERVICES), block),
    })),
);

export const FILES: readonly CorpusFile[] = [...fixtures, ...scenarios, ...guides];

/** Of the apps that any of the files selects; the versions are named by the one or the other. */
const VERSIONS: readonly (readonly [version: string, backend: number])[] = [
  ['one', 1],
  ['two', 2],
  ['three', 3],
  ['v1', 1],
  ['v2', 2],
  ['v3', 3],
];

const workload = (app: string, version: string, backend: number): string =>
  `apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: ${app}-${version}, namespace: default}
spec: {address: 127.0.0.1, ports: {http: PORT${backend}, tls: PORT${backend}}, labels: {app: ${app}, version: ${version}}}
`;

/** Somebody behind each Service of the file. */
export const workloads = (apps: Readonly<Record<string, readonly string[]>>): string =>
  together(
    ...Object.entries(apps).flatMap(([app, versions]) =>
      VERSIONS.filter(([version]) => versions.includes(version)).map(([version, backend]) =>
        workload(app, version, backend),
      ),
    ),
  );

const portsOf = (object: AnyObject): readonly number[] => {
  if (object.kind === 'Service') return object.spec.ports.map(({ port }) => port);
  return object.kind === 'ServiceEntry' ? object.spec.ports.map(({ number }) => number) : [];
};

const hostsOf = (object: AnyObject): readonly string[] => {
  if (object.kind === 'Service') return [`${object.name}.${object.namespace}`];
  return object.kind === 'ServiceEntry' ? object.spec.hosts : [];
};

/** Every `host:port` that a file makes. */
export const targetsOf = ({ name, yaml }: CorpusFile): readonly string[] => {
  const targets = parseText(yaml, name).objects.flatMap((object) =>
    hostsOf(object).flatMap((host) => portsOf(object).map((port) => `${host.replace('*', 'any')}:${port}`)),
  );
  return [...new Set(targets)];
};
