import { readFile } from 'node:fs/promises';
import { systemClock } from '@inmesh/sdk/internal/clock';
import type { HeaderList } from '@inmesh/sdk/internal/model/headers';
import { answerOf } from '@inmesh/sdk/internal/route/answer';
import type { RouteTable } from '@inmesh/sdk/internal/route/table';
import { FileError, type Question, readRequests } from './request-file.ts';
import { loadTable } from './route-file.ts';

export interface RouteQuestions {
  /** An Envoy RouteConfiguration, YAML or JSON. */
  readonly configuration: string;
  /** One request or an array of them, JSON. */
  readonly request: string;
  readonly json: boolean;
}

/**
 * Prints what a RouteConfiguration makes of requests; the virtual host is chosen by the authority, as in Envoy. The exit
 * code is 1 for a configuration that Envoy would not take, 2 for files that cannot be read as what they should be.
 */
export async function explainRouteConfiguration(questions: RouteQuestions): Promise<number> {
  try {
    return await answered(questions);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    process.stderr.write(`inmesh explain: ${error.message}\n`);
    return 2;
  }
}

async function answered({ configuration, request, json }: RouteQuestions): Promise<number> {
  const loaded = loadTable(await textOf(configuration, '--route-configuration'), configuration);
  if ('errors' in loaded) {
    for (const error of loaded.errors) process.stderr.write(`${configuration}: ${error}\n`);
    return 1;
  }
  for (const warning of loaded.warnings) process.stderr.write(`${configuration}: warning: ${warning}\n`);
  const asked = readRequests(await textOf(request, '--request'), request);
  const answers = [asked].flat().map((question) => answer(loaded.table, question));
  const printed = Array.isArray(asked) ? answers : answers[0];
  process.stdout.write(json ? `${JSON.stringify(printed, null, 2)}\n` : answers.map(page).join('\n'));
  return 0;
}

async function textOf(file: string, flag: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new FileError(`${flag}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Every key is there: what has no value is null. */
function answer(table: RouteTable, { request, draw }: Question) {
  const found = answerOf(table, request, { draw, startTimeMs: systemClock.wallTime() });
  const { redirect, directResponse } = found;
  return {
    virtualHost: found.virtualHost ?? null,
    virtualCluster: found.virtualCluster ?? null,
    route: found.route ?? null,
    cluster: found.cluster === undefined ? null : fromBytes(found.cluster),
    pathRewrite: fromBytes(found.pathRewrite),
    hostRewrite: fromBytes(found.hostRewrite),
    ...(redirect && { redirect: { location: fromBytes(redirect.location), code: redirect.code } }),
    ...(directResponse && {
      directResponse: { code: directResponse.code, body: Buffer.from(directResponse.body).toString('utf8') },
    }),
    requestHeaders: headersOf(found.requestHeaders),
    responseHeaders: headersOf(found.responseHeaders),
    reason: found.reason,
  };
}

type Answer = ReturnType<typeof answer>;

/** A repeated header is a list. */
function headersOf(headers: HeaderList): Readonly<Record<string, string | readonly string[]>> {
  const values = new Map<string, string[]>();
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    values.set(name, [...(values.get(name) ?? []), fromBytes(headers[i + 1] ?? '')]);
  }
  return Object.fromEntries([...values].map(([name, list]) => [name, list.length === 1 ? (list[0] ?? '') : list]));
}

/** Bytes, one character each, as the text they are; what is no UTF-8 stays as it is. */
function fromBytes(bytes: string): string {
  const text = Buffer.from(bytes, 'latin1').toString('utf8');
  return text.includes('\ufffd') ? bytes : text;
}

function page(found: Answer): string {
  const lines = Object.entries(found).map(
    ([key, value]) => `${key.padEnd(16)}${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return `${lines.join('\n')}\n`;
}
