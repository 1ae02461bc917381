import { type Type, textThat } from './type.ts';

/** Names as Kubernetes (apimachinery validation) and Istio (pkg/config/validation) allow them. */

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** Istio's hosts may hold upper case and underscores. */
const HOST_LABEL = /^[a-zA-Z0-9_]([-a-zA-Z0-9_]{0,61}[a-zA-Z0-9_])?$/;
const LABEL_NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const HEADER_NAME = /^[-_A-Za-z0-9]+$/;

export const isDnsLabel = (text: string): boolean => DNS_LABEL.test(text);

export const isDnsSubdomain = (text: string): boolean => text.length <= 253 && text.split('.').every(isDnsLabel);

/** Letters, digits, `-`, `_` between dots; one trailing dot is allowed. */
export const isHost = (text: string): boolean => {
  const name = text.endsWith('.') ? text.slice(0, -1) : text;
  return name.length > 0 && name.length <= 255 && name.split('.').every((label) => HOST_LABEL.test(label));
};

/** `*`, `*.suffix`, `*-suffix` or a host (Istio ValidateWildcardDomain). */
export const isWildcardHost = (text: string): boolean => {
  if (!text.startsWith('*') || text === '*') return text === '*' || isHost(text);
  const rest = text.slice(1);
  return isHost(rest.startsWith('.') ? rest.slice(1) : `a${rest}`);
};

const isIPv4 = (text: string): boolean => {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
};

/** RFC 4291 text, with `::` and an IPv4 tail; no zone. */
const isIPv6 = (text: string): boolean => {
  if (!/^[0-9a-fA-F:.]+$/.test(text)) return false;
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  const last = groups.at(-1);
  let size = groups.length;
  if (last?.includes('.')) {
    if (!isIPv4(last)) return false;
    groups.pop();
    size += 1;
  }
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  return halves.length === 2 ? size < 8 : size === 8;
};

export const isIP = (text: string): boolean => isIPv4(text) || isIPv6(text);

export const isCidr = (text: string): boolean => {
  const [address = '', bits = '', ...rest] = text.split('/');
  if (rest.length > 0 || !/^\d{1,3}$/.test(bits)) return false;
  return isIPv4(address) ? Number(bits) <= 32 : isIPv6(address) && Number(bits) <= 128;
};

/** What is wrong with a label or annotation name (`prefix/name`), or undefined. */
export const wrongLabelName = (name: string): string | undefined => {
  const [first = '', second, ...rest] = name.split('/');
  const prefixed = second !== undefined;
  const sound = rest.length === 0 && LABEL_NAME.test(second ?? first) && (!prefixed || isDnsSubdomain(first));
  return sound
    ? undefined
    : 'not a label name: want up to 63 of A–Z, a–z, 0–9, "-", "_", ".", with an optional DNS prefix and "/"';
};

export const labelValue: Type<string> = textThat(
  'a label value (up to 63 of A–Z, a–z, 0–9, "-", "_", ".", or empty)',
  (value) => value !== '' && !LABEL_NAME.test(value),
);

/** What is wrong with an HTTP header name, or undefined (Istio ValidateHTTPHeaderName). */
export const wrongHeaderName = (name: string): string | undefined =>
  HEADER_NAME.test(name) ? undefined : 'not a header name: want letters, digits, "-" and "_"';

export const dnsLabel: Type<string> = textThat(
  'a DNS label (up to 63 of a–z, 0–9, "-")',
  (value) => !isDnsLabel(value),
);

export const host: Type<string> = textThat('a host name', (value) => !isHost(value));

export const wildcardHost: Type<string> = textThat(
  'a host name or a wildcard like "*.example.com"',
  (value) => !isWildcardHost(value) && !isIPv6(value),
);

export const cidrOrIP: Type<string> = textThat(
  'an IP address or a CIDR prefix like "10.0.0.0/8"',
  (value) => !isIP(value) && !isCidr(value),
);

export const ipOrHost: Type<string> = textThat(
  'an IP address or a host name',
  (value) => !isIP(value) && !isHost(value),
);

export const ip: Type<string> = textThat('an IP address', (value) => !isIP(value));

/** One entry of exportTo (Istio ValidateExportTo). */
export const exportScope: Type<string> = textThat(
  '".", "*", "~" or a namespace',
  (value) => value !== '.' && value !== '*' && value !== '~' && !isDnsLabel(value),
);
