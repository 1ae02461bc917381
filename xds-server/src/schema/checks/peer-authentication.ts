import type { Place } from '../place.ts';
import type { PeerAuthenticationSpec } from '../spec/peer-authentication.ts';

/** Istio refuses such an object whole; here the rest of it holds, or a namespace that asks for STRICT would be left open. */
export const checkPeerAuthentication = ({ selector, portLevelMtls }: PeerAuthenticationSpec, place: Place): void => {
  const isSelective = selector !== undefined && selector.matchLabels.size > 0;
  if (!isSelective && portLevelMtls.size > 0) {
    place
      .at('portLevelMtls')
      .warn('no effect without a selector: ports belong to workloads, want selector.matchLabels');
  }
};
