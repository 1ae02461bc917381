import type { CorsPolicySchema } from '@inmesh/sdk/internal/gen/route';
import type { CorsPolicy } from '../../schema/spec/virtual-service.ts';
import type { Fields } from '../proto.ts';
import { perHundred } from './percent.ts';
import { stringMatcher } from './string-match.ts';

/** Istio TranslateCORSPolicy. */
export const corsPolicy = (cors: CorsPolicy): Fields<typeof CorsPolicySchema> => ({
  allowOriginStringMatch:
    cors.allowOrigins.length > 0
      ? cors.allowOrigins.map(stringMatcher)
      : cors.allowOrigin.map((exact) => stringMatcher({ exact })),
  allowMethods: cors.allowMethods.join(','),
  allowHeaders: cors.allowHeaders.join(','),
  exposeHeaders: cors.exposeHeaders.join(','),
  ...(cors.maxAge === undefined ? {} : { maxAge: String(Math.trunc(cors.maxAge / 1_000)) }),
  ...(cors.allowCredentials === undefined ? {} : { allowCredentials: cors.allowCredentials }),
  enabledSpecifier: { case: 'filterEnabled', value: { defaultValue: perHundred(100) } },
  forwardNotMatchingPreflights: cors.unmatchedPreflights !== 'IGNORE',
});
