import { parseArgs } from 'node:util';
import { createMesh, type Explanation, formatExplanation } from '@inmesh/sdk';
import type { XdsServer } from '../embedded/api.ts';
import { createXdsServer } from '../embedded.ts';
import { CONFIG_OPTIONS, folderOf, retryAttemptsOf, sourceOf } from './check.ts';
import type { RouteQuestions } from './explain-route-configuration.ts';
import { type Command, labelsOf, required, UsageError } from './usage.ts';

const usage = `inmesh explain --config DIR --from NAMESPACE/WORKLOAD [options] METHOD URL
inmesh explain --route-configuration FILE --request FILE [--json]

Says what a request would meet and why: the rules looked at, the one that matched and where it is written, the split, the endpoints.
  --from NAMESPACE/WORKLOAD   who asks; a workload that DIR knows brings its labels
  --mesh-config FILE          Istio's MeshConfig, where DIR has no ConfigMap istio
  --retry-attempts retries|calls  what attempts: N of a retry policy means (retries)
  --label K=V                 a label of it; may be repeated
  -H, --header 'NAME: VALUE'  a header of the request; may be repeated
  --random N                  the number that decides splits, 0 to 4294967295 (0)
  --json                      one JSON object instead of a page

  --route-configuration FILE  an Envoy RouteConfiguration (YAML or JSON), asked without a mesh around it
  --request FILE              JSON: one request or an array of {method, scheme, authority, path, headers, random, runtime,
                              metadata}; a runtime key is a percentage, true (all) or false (none); where a key is not
                              given, the route's own fraction decides, by "random"`;

type Probe = NonNullable<NonNullable<Parameters<typeof createMesh>[1]>['probe']>;

interface ExplainCommand {
  readonly config: string;
  readonly meshConfig: string | undefined;
  readonly retryAttempts: 'retries' | 'calls';
  readonly namespace: string;
  readonly workload: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly method: string;
  readonly url: URL;
  readonly headers: readonly (readonly [string, string])[];
  readonly random: number;
  readonly json: boolean;
}

function parse(args: readonly string[]): ExplainCommand {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...CONFIG_OPTIONS,
      from: { type: 'string' },
      label: { type: 'string', multiple: true, default: [] },
      header: { type: 'string', short: 'H', multiple: true, default: [] },
      random: { type: 'string', default: '0' },
      json: { type: 'boolean', default: false },
    },
  });
  const [namespace, workload, ...more] = required(values.from, '--from').split('/');
  if (!namespace || !workload || more.length > 0) {
    throw new UsageError(`--from: got "${values.from}", want NAMESPACE/WORKLOAD`);
  }
  const [method, url, ...rest] = positionals;
  if (method === undefined || url === undefined || rest.length > 0) {
    throw new UsageError(`got "${positionals.join(' ')}", want METHOD URL`);
  }
  return {
    config: required(values.config, '--config'),
    meshConfig: values['mesh-config'],
    retryAttempts: retryAttemptsOf(values['retry-attempts']),
    namespace,
    workload,
    labels: labelsOf(values.label),
    method: method.toUpperCase(),
    url: urlOf(url),
    headers: values.header.map(headerOf),
    random: randomOf(values.random),
    json: values.json,
  };
}

function parseQuestions(args: readonly string[]): RouteQuestions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      'route-configuration': { type: 'string' },
      request: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  return {
    configuration: required(values['route-configuration'], '--route-configuration'),
    request: required(values.request, '--request'),
    json: values.json,
  };
}

function urlOf(text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new UsageError(`URL: got "${text}", want http://host[:port]/path`);
}

function headerOf(text: string): readonly [string, string] {
  const at = text.indexOf(':');
  if (at < 1) throw new UsageError(`--header: got "${text}", want 'NAME: VALUE'`);
  return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

function randomOf(text: string): number {
  const random = Number(text);
  if (text !== '' && Number.isInteger(random) && random >= 0 && random <= 0xffff_ffff) return random;
  throw new UsageError(`--random: got "${text}", want an integer 0–4294967295`);
}

const takenForHealthy: Probe = (_, done) => {
  queueMicrotask(() => done({ kind: 'ok', isDegraded: false }));
  return { cancel() {} };
};

/** What the mesh says, and what only this command knows: nobody has registered here. */
async function explained(server: XdsServer, command: ExplainCommand): Promise<Explanation> {
  const { namespace, workload, method, url, headers, random } = command;
  const known = server.workload(namespace, workload);
  const place = Object.values(known?.locality ?? {}).filter(Boolean);
  const mesh = createMesh(
    {
      // As that workload: what it would present is part of the answer.
      transport: server.transport({ namespace, serviceAccount: known?.serviceAccount ?? 'default' }),
      namespace,
      workload,
      labels: Object.fromEntries([...(known?.labels ?? []), ...command.labels]),
      ...(known?.serviceAccount !== undefined && { serviceAccount: known.serviceAccount }),
      ...(place.length > 0 && { locality: place.join('/') }),
    },
    // Whoever asks, it is not the process this runs in: hosts that it would check are not called from here.
    { env: {}, probe: takenForHealthy },
  );
  try {
    const explanation = await mesh.explain({ method, url, headers, random });
    if (explanation.cluster === null || explanation.endpoints.length > 0) return explanation;
    const note = `${command.config} holds no endpoint of it: processes that register themselves are endpoints only of a running control plane`;
    return { ...explanation, notes: [...explanation.notes, note] };
  } finally {
    await mesh.close();
  }
}

/** Every key is there: what has no value is null. */
const jsonOf = (explanation: Explanation): string =>
  JSON.stringify(explanation, (_key, value: unknown) => (value === undefined ? null : value), 2);

export const explain: Command = {
  summary: 'says what a request would meet, and why',
  usage,
  async run(args) {
    if (args.some((arg) => arg.startsWith('--route-configuration'))) {
      const { explainRouteConfiguration } = await import('./explain-route-configuration.ts');
      return explainRouteConfiguration(parseQuestions(args));
    }
    const command = parse(args);
    const source = sourceOf(await folderOf(command.config), command.meshConfig);
    const server = createXdsServer({ source, retryAttempts: command.retryAttempts });
    try {
      await server.start();
      const explanation = await explained(server, command);
      const color = process.stdout.isTTY && !process.env.NO_COLOR;
      process.stdout.write(command.json ? `${jsonOf(explanation)}\n` : formatExplanation(explanation, { color }));
      return 0;
    } finally {
      await server.close();
    }
  },
};
