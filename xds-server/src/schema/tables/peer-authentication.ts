import { checkPeerAuthentication } from '../checks/peer-authentication.ts';
import { mapOf, message, supported } from '../message.ts';
import type { MutualTls, PeerAuthenticationSpec } from '../spec/peer-authentication.ts';
import { labelValue, wrongLabelName } from '../syntax.ts';
import { wordOr } from '../type.ts';

const mtls = message<MutualTls>({ mode: supported(wordOr('UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT')) });

const wrongPort = (key: string): string | undefined =>
  /^[1-9]\d{0,4}$/.test(key) && Number(key) <= 65_535
    ? undefined
    : 'not a port, want the number 1–65535 that the workload listens on';

export const peerAuthentication = message<PeerAuthenticationSpec>(
  {
    selector: supported(
      message<NonNullable<PeerAuthenticationSpec['selector']>>({
        matchLabels: supported(mapOf(labelValue, wrongLabelName)),
      }),
    ),
    mtls: supported(mtls),
    portLevelMtls: supported(mapOf(mtls, wrongPort)),
  },
  { check: checkPeerAuthentication },
);
