import type { SendWindows } from './send-windows.ts';
import type { ClientStream } from './stream.ts';

/** The connection as its streams need it. */
export interface StreamConnection {
  readonly sending: SendWindows;
  /** Of each stream, in what is received. */
  readonly streamWindow: number;
  closed(stream: ClientStream): void;
}

export interface StreamInit {
  readonly id: number;
  readonly sendWindow: number;
  readonly isSent: boolean;
  /** RFC 9110: an answer to HEAD has the length of what it leaves out. */
  readonly isHead: boolean;
}
