import { ConnectionFault, ERROR, FRAME } from './codes.ts';
import type { Frame } from './frame-reader.ts';

interface Rule {
  readonly isSize: (length: number) => boolean;
  /** Of a stream, of the connection; undefined: of either. */
  readonly isOfStream: boolean | undefined;
}

const any = (): boolean => true;
const exactly = (size: number) => (length: number) => length === size;

/** RFC 9113 §6 */
const RULES: Readonly<Record<number, Rule>> = {
  [FRAME.data]: { isSize: any, isOfStream: true },
  [FRAME.headers]: { isSize: any, isOfStream: true },
  [FRAME.priority]: { isSize: exactly(5), isOfStream: true },
  [FRAME.resetStream]: { isSize: exactly(4), isOfStream: true },
  [FRAME.settings]: { isSize: (length: number) => length % 6 === 0, isOfStream: false },
  [FRAME.pushPromise]: { isSize: any, isOfStream: true },
  [FRAME.ping]: { isSize: exactly(8), isOfStream: false },
  [FRAME.goAway]: { isSize: (length: number) => length >= 8, isOfStream: false },
  [FRAME.windowUpdate]: { isSize: exactly(4), isOfStream: undefined },
  [FRAME.continuation]: { isSize: any, isOfStream: true },
};

export const broken = (what: string): ConnectionFault => new ConnectionFault(ERROR.protocol, `the peer sent ${what}`);

/** Throws for a frame of a wrong size, or on a stream that it is not for. */
export function checkFrame({ type, stream }: Frame, length: number): void {
  const rule = RULES[type];
  if (rule === undefined) return;
  if (!rule.isSize(length)) throw new ConnectionFault(ERROR.frameSize, `a frame of type ${type} with ${length} bytes`);
  if (rule.isOfStream !== undefined && rule.isOfStream !== stream > 0)
    throw broken(`a frame of type ${type} on stream ${stream}`);
}
