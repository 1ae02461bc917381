import type { RouteAction_RequestMirrorPolicySchema } from '@inmesh/sdk/internal/gen/route';
import type { HttpRoute } from '../../schema/spec/virtual-service.ts';
import type { Fields } from '../proto.ts';
import { type RouteScope, resolveDestination } from './destination.ts';
import { type FractionalPercentInit, perHundred, perMillion } from './percent.ts';

type MirrorInit = Fields<typeof RouteAction_RequestMirrorPolicySchema>;

/** `mirror`, then `mirrors`; everything is mirrored unless a percentage is written, and an explicit 0 is no mirror at all. */
export const mirrorPolicies = (scope: RouteScope, http: HttpRoute): MirrorInit[] => {
  const single = http.mirror && { destination: http.mirror, fraction: mirrorFraction(http) };
  const listed = http.mirrors.map(({ destination, percentage }) => ({
    destination,
    fraction: percentage ? perMillion(percentage.value) : perHundred(100),
  }));
  return [...(single ? [single] : []), ...listed]
    .filter(({ fraction }) => (fraction.numerator ?? 0) > 0)
    .map(({ destination, fraction }) => ({
      cluster: resolveDestination(scope, destination).cluster,
      runtimeFraction: { defaultValue: fraction },
      traceSampled: false,
      // Istio leaves the host as it is; Envoy would append `-shadow`.
      disableShadowHostSuffixAppend: true,
    }));
};

const mirrorFraction = ({ mirrorPercentage, mirrorPercent }: HttpRoute): FractionalPercentInit => {
  if (mirrorPercentage !== undefined) return perMillion(mirrorPercentage.value);
  return perHundred(mirrorPercent ?? 100);
};
