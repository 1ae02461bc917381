import type { ConnectionFault } from './codes.ts';
import type { PeerSettings } from './peer-settings.ts';

export interface ClientListener {
  /** The peer's SETTINGS, each time. */
  onSettings(peer: PeerSettings): void;
  onGoAway(lastStream: number, code: number): void;
  /** Once; nothing comes after it but the ends of its streams. `fault`: what the peer has done. */
  onEnded(reason: string | undefined, fault: ConnectionFault | undefined): void;
}
