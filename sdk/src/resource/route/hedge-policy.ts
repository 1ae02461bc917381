import type { HedgePolicy as Message } from '../../../gen/route.js';
import type { HedgePolicy } from '../../model/action.ts';

/** Envoy HedgePolicy; of its fields Envoy itself does hedge_on_per_try_timeout only. */
export const decodeHedgePolicy = ({ hedgeOnPerTryTimeout }: Message): HedgePolicy => ({
  onPerTryTimeout: hedgeOnPerTryTimeout,
});
