import type { Place } from '../place.ts';
import type { SecretData, SecretSpec } from '../spec/secret.ts';

/** A certificate without its key, or a key without its certificate, is nobody's. */
const PAIRS = [
  ['tls.crt', 'tls.key'],
  ['cert', 'key'],
] as const satisfies readonly (readonly [keyof SecretData, keyof SecretData])[];

/** Names what is missing, never what is there. */
export const checkSecret = ({ data, stringData }: SecretSpec, place: Place): void => {
  const has = (name: keyof SecretData): boolean => Boolean(stringData[name] ?? data[name]);
  for (const [certificate, key] of PAIRS) {
    if (has(certificate) === has(key)) continue;
    const [there, missing] = has(certificate) ? [certificate, key] : [key, certificate];
    place.at('data').error(`${there} is there without ${missing}, want both`);
  }
};
