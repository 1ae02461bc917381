import type { Type } from './type.ts';
import { mismatch } from './type.ts';
import { readYamlSafely } from './yaml-document.ts';

/** YAML inside a string, as in a ConfigMap's data; its fields keep their own lines. */
export const yamlText = <T>(inner: Type<T>): Type<T> => ({
  wants: 'YAML text',
  ...(inner.fields && { fields: inner.fields }),
  read(value, place) {
    if (typeof value !== 'string') return place.error(mismatch(value, this.wants));
    const { errors, value: content } = readYamlSafely(value);
    const [first] = errors;
    if (first !== undefined) return place.error(`YAML, line ${first.line} of the text: ${first.message}`);
    return inner.read(content ?? new Map(), place);
  },
});
