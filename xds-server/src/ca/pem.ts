const BEGIN = '-----BEGIN ';
const END = '-----END ';
const DASHES = '-----';

/** The blocks of a PEM text that carry `label`, each with nothing around it. Linear in the text, whatever it holds. */
export function pemBlocks(text: string, label: string): string[] {
  const blocks: string[] = [];
  const begin = `${BEGIN}${label}${DASHES}`;
  const end = `${END}${label}${DASHES}`;
  for (let from = text.indexOf(begin); from >= 0; ) {
    const to = text.indexOf(end, from);
    if (to < 0) break;
    blocks.push(`${text.slice(from, to + end.length).replaceAll('\r', '')}\n`);
    from = text.indexOf(begin, to);
  }
  return blocks;
}

export const certificateBlocks = (text: string): string[] => pemBlocks(text, 'CERTIFICATE');

/** The bytes of one block; undefined where there is no block or what stands in it is not base64. */
export function pemBytes(text: string, label: string): Uint8Array<ArrayBuffer> | undefined {
  const block = pemBlocks(text, label)[0];
  if (block === undefined) return undefined;
  const body = block.slice(
    BEGIN.length + label.length + DASHES.length,
    -(END.length + label.length + DASHES.length + 1),
  );
  const base64 = body.replace(/[\n\t ]/g, '');
  return base64 !== '' && /^[A-Za-z0-9+/]+={0,2}$/.test(base64)
    ? new Uint8Array(Buffer.from(base64, 'base64'))
    : undefined;
}

export function pemText(bytes: ArrayBuffer, label: string): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `${BEGIN}${label}${DASHES}\n${lines.join('\n')}\n${END}${label}${DASHES}\n`;
}
