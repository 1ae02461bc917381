/** What FormData of any origin has in common: the platform's, undici's, a polyfill's. */
export interface FormDataLike extends Iterable<readonly [string, string | FileLike]> {
  append(name: string, value: unknown): void;
  getAll(name: string): unknown[];
}

interface FileLike {
  readonly name?: string;
  readonly type: string;
  readonly size: number;
  stream(): AsyncIterable<Uint8Array>;
}

export function isFormData(value: object): value is FormDataLike {
  const { append, getAll, [Symbol.iterator]: iterate } = value as Partial<FormDataLike>;
  return (
    (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === 'FormData' &&
    typeof append === 'function' &&
    typeof getAll === 'function' &&
    typeof iterate === 'function'
  );
}

export interface EncodedForm {
  readonly contentType: string;
  readonly length: number;
  readonly parts: readonly (Uint8Array | FileLike)[];
}

const CRLF = Buffer.from('\r\n');

/** multipart/form-data as HTML's encoding algorithm writes it; what the entries say now is what is sent. */
export function encodeForm(form: FormDataLike): EncodedForm {
  // Loaded with the first form.
  const { randomBytes } = process.getBuiltinModule('node:crypto');
  const boundary = `----formdata-inmesh-${randomBytes(12).toString('hex')}`;
  const parts: (Uint8Array | FileLike)[] = [];
  for (const [name, value] of form) {
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${quoted(lineFeeds(name))}"`;
    if (typeof value === 'string') parts.push(Buffer.from(`${head}\r\n\r\n${lineFeeds(value)}\r\n`));
    else parts.push(fileHead(head, value), value, CRLF);
  }
  parts.push(Buffer.from(`--${boundary}--\r\n`));
  const length = parts.reduce((sum, part) => sum + ('byteLength' in part ? part.byteLength : part.size), 0);
  return { contentType: `multipart/form-data; boundary=${boundary}`, length, parts };
}

function fileHead(head: string, file: FileLike): Uint8Array {
  const filename = file.name === undefined ? '' : `; filename="${quoted(file.name)}"`;
  return Buffer.from(`${head}${filename}\r\nContent-Type: ${file.type || 'application/octet-stream'}\r\n\r\n`);
}

const quoted = (text: string): string => text.replace(/\n/g, '%0A').replace(/\r/g, '%0D').replace(/"/g, '%22');
const lineFeeds = (text: string): string => text.replace(/\r?\n|\r/g, '\r\n');

export async function* readForm({ parts }: EncodedForm): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    if ('byteLength' in part) yield part;
    else yield* part.stream();
  }
}
