import type { LiveTarget } from '../call/live-target.ts';
import type { Random } from '../clock.ts';
import type { TargetState } from '../config/targets.ts';
import type { SecureTransports } from '../connection/secure-transports.ts';
import type { EventSink } from '../model/events.ts';
import type { Patience } from '../wire/late-timer.ts';

/** What connections need of their mesh. */
export interface ConnectRuntime extends Patience {
  readonly random: Random;
  readonly emit: EventSink;
  readonly outboundPolicy: 'ALLOW_ANY' | 'REGISTRY_ONLY';
  readonly configTimeoutMs: number;
  /** The address that stands for the source where a chain hashes it. */
  sourceIp(): string | undefined;
  /** TLS, by the identity of this process. */
  secure(): SecureTransports;
  /** With the clusters of filter chains: `Targets.lookupConnection`. */
  lookupConnection(target: string): TargetState<LiveTarget>;
}
