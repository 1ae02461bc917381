import { FractionalPercent_DenominatorType, type FractionalPercentSchema } from '@inmesh/sdk/internal/gen/core';
import type { Fields } from '../proto.ts';

export type FractionalPercentInit = Fields<typeof FractionalPercentSchema>;

/** Istio's percentages have four decimals: value × 10,000 of a million, truncated (translatePercentToFractionalPercent). */
export const perMillion = (percent: number): FractionalPercentInit => ({
  // 0.29 × 10,000 is 2899.9999…: the truncation means the decimal the user wrote, not its binary neighbour.
  numerator: Math.trunc(Number((percent * 10_000).toPrecision(12))),
  denominator: FractionalPercent_DenominatorType.MILLION,
});

export const perHundred = (percent: number): FractionalPercentInit => ({
  numerator: percent,
  denominator: FractionalPercent_DenominatorType.HUNDRED,
});
