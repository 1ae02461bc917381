import { trimmed } from './lists.ts';

/** What one resource's bytes say: a model, or why it cannot be taken. `name` is the resource's own, where it could be read. */
export type Decoded<T> =
  | {
      readonly ok: T;
      readonly name: string;
      readonly warnings: readonly string[];
      /** A private key stands in it: it is never kept on disk, whatever its type is. */
      readonly holdsKey?: true;
    }
  | { readonly errors: readonly string[]; readonly name: string };

/** A decode in pieces: each `yield` is a place where the event loop may have its turn. */
export type DecodeSteps<T> = Generator<undefined, Decoded<T>>;

/** What discovery does with resources of a type, beyond handing them on. */
interface ResourceTraits {
  /** Sent whole in state-of-the-world responses: absence is deletion (xDS protocol, "Deleting resources"). */
  readonly isWholeState?: boolean;
  /** May be kept on disk for a start without a control plane: nothing in it is a key or a token of ours. */
  readonly isKept?: boolean;
}

/** How discovery learns of a resource type. It knows none by itself. */
export interface ResourceType<T> extends ResourceTraits {
  readonly typeUrl: string;
  /** The body of the `Any`, in one go. Never throws: garbage is an error like any other. */
  decode(bytes: Uint8Array): Decoded<T>;
  /** The same in slices. */
  steps(bytes: Uint8Array): DecodeSteps<T>;
}

export function resourceType<T>(
  typeName: string,
  decodeSteps: (bytes: Uint8Array) => DecodeSteps<T>,
  traits: ResourceTraits = {},
): ResourceType<T> {
  function* steps(bytes: Uint8Array): DecodeSteps<T> {
    try {
      const decoded = yield* decodeSteps(bytes);
      return 'ok' in decoded ? { ...decoded, warnings: trimmed(decoded.warnings) } : decoded;
    } catch (error) {
      // protobuf-es throws on malformed bytes; whatever else goes wrong in a decoder must not end the process either.
      const what = error instanceof Error ? error.message : String(error);
      return { errors: [`cannot be read as ${typeName}: ${what}`], name: '' };
    }
  }
  return {
    ...traits,
    typeUrl: `type.googleapis.com/${typeName}`,
    steps,
    decode(bytes) {
      const run = steps(bytes);
      for (;;) {
        const step = run.next();
        if (step.done) return step.value;
      }
    },
  };
}
