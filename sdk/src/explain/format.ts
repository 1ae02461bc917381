import type { Explanation } from './explanation.ts';

export interface FormatOptions {
  /** Colours for a terminal. */
  readonly color?: boolean;
}

interface Paint {
  readonly strong: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly faint: (text: string) => string;
}

const ESCAPE = '\u001b[';
const painter = (on: boolean): Paint => {
  const with_ = (code: number) => (text: string) => (on ? `${ESCAPE}${code}m${text}${ESCAPE}0m` : text);
  return { strong: with_(1), good: with_(32), bad: with_(31), faint: with_(2) };
};

/** An explanation as a page for a human. */
export function formatExplanation(explanation: Explanation, { color = false }: FormatOptions = {}): string {
  const paint = painter(color);
  const sections = [
    requestSection(explanation, paint),
    rulesSection(explanation, paint),
    routeSection(explanation, paint),
    splitSection(explanation, paint),
    endpointsSection(explanation, paint),
    notesSection(explanation, paint),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function requestSection({ request, virtualHost }: Explanation, { strong, faint, bad }: Paint): string[] {
  const host = new URL(request.url).host;
  return [
    strong(`${request.method} ${request.url}`),
    ...(request.authority === host ? [] : [`  host header    ${request.authority}`]),
    ...Object.entries(request.headers).map(([name, value]) => `  ${faint(`${name}:`)} ${value}`),
    `  virtual host   ${virtualHost ?? bad('none')}`,
  ];
}

function rulesSection({ considered }: Explanation, { strong, good, faint }: Paint): string[] {
  if (considered.length === 0) return [];
  const width = String(considered.length).length;
  return [
    strong('Rules, in order'),
    ...considered.flatMap(({ rule, matched, failed }, index) => {
      const number = String(index + 1).padStart(width);
      if (matched) return [`  ${good('✓')} ${number}  ${good(rule)}`];
      return [`  ✗ ${number}  ${rule}`, `    ${' '.repeat(width)}  ${faint(failed ?? 'does not match')}`];
    }),
  ];
}

function routeSection({ route, source, cluster, timeoutMs, retries }: Explanation, { strong, bad }: Paint): string[] {
  if (route === null) return [];
  const again =
    retries.calls > 1
      ? `up to ${retries.calls} calls, on ${retries.on.join(', ')}${retries.perTryTimeoutMs === null ? '' : `, ${span(retries.perTryTimeoutMs)} each`}`
      : 'none';
  return [
    strong('Route'),
    `  name           ${route || '(without a name)'}`,
    ...(source === null ? [] : [`  written in     ${source.file}:${source.line}`]),
    `  cluster        ${cluster ?? bad('none')}`,
    `  timeout        ${timeoutMs === null ? 'none' : span(timeoutMs)}`,
    `  retries        ${again}`,
  ];
}

const span = (ms: number): string => (ms >= 1_000 && ms % 100 === 0 ? `${ms / 1_000} s` : `${ms} ms`);

const BAR = 24;

function splitSection({ split, cluster, request }: Explanation, { strong, good, faint }: Paint): string[] {
  const total = split.reduce((sum, { weight }) => sum + weight, 0);
  if (split.length < 2 || total === 0) return [];
  const width = Math.max(...split.map((entry) => entry.cluster.length));
  const lines = split.map((entry) => {
    const share = entry.weight / total;
    const bar = '█'.repeat(Math.round(share * BAR)).padEnd(BAR, '·');
    const range = entry.range === undefined ? 'never' : `${entry.range[0]}–${entry.range[1]}`;
    const isChosen = entry.cluster === cluster;
    const line = `${entry.cluster.padEnd(width)}  ${`${(100 * share).toFixed(0)} %`.padStart(5)}  ${bar}  ${faint(range)}`;
    return isChosen ? `  ${good('→')} ${line}` : `    ${line}`;
  });
  return [strong('Split'), ...lines, faint(`    ${request.random} modulo ${total} is ${request.random % total}`)];
}

function endpointsSection({ endpoints, cluster }: Explanation, { strong, good, bad, faint }: Paint): string[] {
  if (cluster === null) return [];
  if (endpoints.length === 0) return [strong('Endpoints'), `  ${bad('none')}`];
  const addressWidth = Math.max(...endpoints.map(({ address }) => address.length));
  const stateWidth = Math.max(...endpoints.map(({ state }) => state.length));
  const lines = endpoints.map(({ address, cluster: member = '', locality, priority, state, reason, loadWeight }) => {
    const paint = state === 'healthy' ? good : bad;
    const weight = loadWeight === undefined ? '' : loadWeight > 0 ? `weight ${round(loadWeight)}` : 'no weight yet';
    const place = [member, locality, priority > 0 ? `priority ${priority}` : '', weight, reason ?? ''];
    return `  ${address.padEnd(addressWidth)}  ${paint(state.padEnd(stateWidth))}  ${faint(place.filter(Boolean).join('  '))}`.trimEnd();
  });
  return [strong(`Endpoints (${endpoints.length})`), ...lines];
}

const round = (value: number): number => Number(value.toPrecision(4));

function notesSection({ notes }: Explanation, { strong }: Paint): string[] {
  return notes.length === 0 ? [] : [strong('Notes'), ...notes.map((note) => `  • ${note}`)];
}
