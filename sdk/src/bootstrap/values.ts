import { MeshError } from '../errors.ts';

/** A value with the name of the variable or option it came from, for the message when it is wrong. */
export interface Given {
  readonly source: string;
  readonly value: string;
}

/** Names the variable, what it holds, and what it may hold. */
export function invalid({ source, value }: Given, allowed: string): MeshError {
  return new MeshError('MESH_BOOTSTRAP_INVALID', `${source} is "${value}", allowed: ${allowed}`);
}

/** A DNS label: what Kubernetes allows as a namespace, a service or an account (RFC 1123; accounts may have dots). */
export function readName(given: Given): string {
  if (/^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/.test(given.value)) return given.value;
  throw invalid(given, 'lower-case letters, digits, "-" and "."');
}

export function readChoice<C extends string>(given: Given, choices: readonly C[]): C {
  for (const choice of choices) if (choice === given.value) return choice;
  throw invalid(given, choices.join(', '));
}

export function readFlag(given: Given): boolean {
  if (/^(?:1|true|yes|on)$/i.test(given.value)) return true;
  if (/^(?:0|false|no|off)$/i.test(given.value)) return false;
  throw invalid(given, '1 or 0');
}

export function readPort(given: Given): number {
  const port = Number(given.value);
  if (/^\d+$/.test(given.value) && port >= 1 && port <= 65_535) return port;
  throw invalid(given, 'a port from 1 to 65535');
}

const LABEL_KEY = /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\/)?[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;
const LABEL_VALUE = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)?$/;

export function readLabels(given: Given): Map<string, string> {
  const labels = new Map<string, string>();
  for (const part of given.value.split(',').map((text) => text.trim())) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const key = part.slice(0, equals);
    const value = part.slice(equals + 1);
    if (equals < 1 || !LABEL_KEY.test(key) || !LABEL_VALUE.test(value)) {
      throw invalid(given, 'key=value pairs separated by commas (Kubernetes labels)');
    }
    labels.set(key, value);
  }
  return labels;
}

export function readLocality(given: Given): { region: string; zone: string; subZone: string } {
  const parts = given.value.split('/');
  const [region = '', zone = '', subZone = ''] = parts;
  if (region === '' || parts.length > 3) throw invalid(given, 'region, region/zone or region/zone/sub-zone');
  return { region, zone, subZone };
}

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
]);

/** Go's notation, as Istio's variables have it: `24h`, `1h30m`. */
export function readDuration(given: Given): number {
  const parts = [...given.value.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)];
  const ms = parts.reduce((sum, [, amount, unit = '']) => sum + Number(amount) * (UNIT_MS.get(unit) ?? 0), 0);
  if (parts.map(([part]) => part).join('') === given.value && ms > 0) return ms;
  throw invalid(given, 'a duration such as 24h, 90m or 1h30m');
}
