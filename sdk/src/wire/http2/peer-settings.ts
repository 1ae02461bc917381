import { ConnectionFault, ERROR, INITIAL, LARGEST_WINDOW, SETTING } from './codes.ts';
import type { BlockLimits } from './header-blocks.ts';

/** What we allow. */
export interface ClientLimits extends BlockLimits {
  readonly streamWindow: number;
  /** RFC 9113's 65,535 at least. */
  readonly connectionWindow: number;
}

/** What the peer allows. */
export interface PeerSettings {
  readonly maxConcurrentStreams: number | undefined;
  readonly enableConnectProtocol: boolean;
  readonly initialWindow: number;
  readonly frameSize: number;
  readonly tableSize: number;
  /** The smallest of those in the frame: what the table had besides is gone (RFC 7541 §4.2). */
  readonly leastTableSize: number;
}

/** RFC 9113 §6.5.2, RFC 7541 §4.2 */
export const UNTOLD: PeerSettings = {
  maxConcurrentStreams: undefined,
  enableConnectProtocol: false,
  initialWindow: INITIAL.window,
  frameSize: INITIAL.frameSize,
  tableSize: INITIAL.tableSize,
  leastTableSize: INITIAL.tableSize,
};

type Told = { -readonly [name in keyof PeerSettings]: PeerSettings[name] };

/** The settings that hold after a SETTINGS frame. Throws ConnectionFault for values that are none. */
export function withSettings(before: PeerSettings, bytes: Buffer, from: number, to: number): PeerSettings {
  const told: Told = { ...before, leastTableSize: before.tableSize };
  for (let at = from; at + 6 <= to; at += 6) take(told, bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2));
  return told;
}

function take(told: Told, id: number, value: number): void {
  switch (id) {
    case SETTING.headerTableSize:
      told.tableSize = value;
      told.leastTableSize = Math.min(told.leastTableSize, value);
      break;
    case SETTING.enablePush:
      // Of a server 1 is an error too (RFC 9113 §6.5.2).
      check(value === 0, 'ENABLE_PUSH of a server');
      break;
    case SETTING.maxConcurrentStreams:
      told.maxConcurrentStreams = value;
      break;
    case SETTING.initialWindowSize:
      check(value <= LARGEST_WINDOW, 'INITIAL_WINDOW_SIZE', ERROR.flowControl);
      told.initialWindow = value;
      break;
    case SETTING.maxFrameSize:
      check(value >= INITIAL.frameSize && value <= 2 ** 24 - 1, 'MAX_FRAME_SIZE');
      told.frameSize = value;
      break;
    case SETTING.enableConnectProtocol:
      check(value <= 1, 'ENABLE_CONNECT_PROTOCOL');
      told.enableConnectProtocol = value === 1;
      break;
    default:
  }
}

function check(isSo: boolean, what: string, code: number = ERROR.protocol): void {
  if (!isSo) throw new ConnectionFault(code, `SETTINGS with a wrong ${what}`);
}

/** Our own, as the first bytes of a connection: the preface, SETTINGS, and the window of the connection. */
export function preface({ headerTableSize, streamWindow, connectionWindow, maxHeaderListSize }: ClientLimits): Buffer {
  const own = {
    ...(headerTableSize !== undefined && { [SETTING.headerTableSize]: headerTableSize }),
    [SETTING.enablePush]: 0,
    [SETTING.initialWindowSize]: streamWindow,
    [SETTING.maxHeaderListSize]: maxHeaderListSize,
  };
  const settings = Object.entries(own);
  const bytes = Buffer.alloc(PREFACE.length + 9 + 6 * settings.length + 13);
  let at = bytes.write(PREFACE, 0, 'latin1');
  at = bytes.writeUInt16BE(0, at);
  at = bytes.writeUInt8(6 * settings.length, at);
  at = bytes.writeUInt8(4, at) + 5;
  for (const [id, value] of settings) at = bytes.writeUInt32BE(value, bytes.writeUInt16BE(Number(id), at));
  // Nothing is no increment (RFC 9113 §6.9).
  if (connectionWindow <= INITIAL.window) return bytes.subarray(0, at);
  at = bytes.writeUInt8(4, at + 2);
  at = bytes.writeUInt8(8, at) + 5;
  bytes.writeUInt32BE(connectionWindow - INITIAL.window, at);
  return bytes;
}

/** RFC 9113 §3.4 */
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
