import path from 'node:path';
import type { Plugin } from 'rolldown';

interface Change {
  /** Of protobuf-es. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/**
 * protobuf-es prepares the readers and writers of a message for every type it refers to, near and far: fifty descriptors for
 * a first call, of which it reads seventeen. In the bundle those of a field wait for its first value.
 */
const CHANGES: readonly Change[] = [
  {
    file: 'from-binary.js',
    from: `    const compiledChild = compiledReader(field.message);
    if (field.delimitedEncoding) {
        const fieldNo = field.number;
        return (child, reader, ctx) => compiledChild.readGroup(child, reader, ctx, fieldNo);
    }
    return (child, reader, ctx) => compiledChild.read(child, reader, ctx, reader.uint32());
`,
    to: `    // Changed for @inmesh/sdk: compiled at its first use.
    let compiledChild;
    if (field.delimitedEncoding) {
        const fieldNo = field.number;
        return (child, reader, ctx) => (compiledChild ??= compiledReader(field.message)).readGroup(child, reader, ctx, fieldNo);
    }
    return (child, reader, ctx) => (compiledChild ??= compiledReader(field.message)).read(child, reader, ctx, reader.uint32());
`,
  },
  {
    file: 'to-binary.js',
    from: `    const fieldNo = field.number;
    const writeMessage = compiledWriter(field.message);
`,
    to: `    const fieldNo = field.number;
    // Changed for @inmesh/sdk: compiled at its first use.
    let compiledChild;
    const writeMessage = (writer, opts, child) => (compiledChild ??= compiledWriter(field.message))(writer, opts, child);
`,
  },
  {
    file: 'wkt/wrappers.js',
    from: `    const f = messageDesc.fields[0];
    return (isWrapperTypeName(messageDesc.typeName) &&
`,
    to: `    // Changed for @inmesh/sdk: the name first, which is known before the fields.
    if (!isWrapperTypeName(messageDesc.typeName))
        return false;
    const f = messageDesc.fields[0];
    return (
`,
  },
];

/** Fails the build where protobuf-es no longer is as it was. */
export function atFirstUse(): Plugin {
  const left = new Set(CHANGES);
  const folder = path.join('@bufbuild', 'protobuf', 'dist', 'esm');
  return {
    name: 'at-first-use',
    transform(code, id) {
      const change = CHANGES.find(({ file }) => id.endsWith(path.join(folder, file)));
      if (change === undefined) return null;
      if (code.split(change.from).length !== 2) throw new Error(`protobuf-es is another: look at ${change.file} anew`);
      left.delete(change);
      return code.replace(change.from, () => change.to);
    },
    buildEnd() {
      for (const { file } of left) throw new Error(`protobuf-es is another: there is no ${file}`);
    },
  };
}
