/** RFC 7541 Appendix A, from index 1; those without a value have the empty one. */
const TABLE =
  ':authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200|:status 204|' +
  ':status 206|:status 304|:status 400|:status 404|:status 500|accept-charset|accept-encoding gzip, deflate|' +
  'accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|' +
  'content-disposition|content-encoding|content-language|content-length|content-location|content-range|content-type|' +
  'cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|' +
  'last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|' +
  'server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate';

export interface Field {
  readonly name: string;
  readonly value: string;
}

/** Index 0 is none. */
export const STATIC_FIELDS: readonly Field[] = [
  { name: '', value: '' },
  ...TABLE.split('|').map((text) => {
    const space = text.indexOf(' ');
    return space < 0 ? { name: text, value: '' } : { name: text.slice(0, space), value: text.slice(space + 1) };
  }),
];

/** Of the dynamic table: its first index. */
export const FIRST_DYNAMIC = STATIC_FIELDS.length;

/** RFC 7541 §4.1; strings hold one character per byte. */
export const sizeOf = (name: string, value: string): number => name.length + value.length + 32;
