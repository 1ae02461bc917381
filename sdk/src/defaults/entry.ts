/** A default with its unit and source. */
export interface Default {
  readonly value: number;
  readonly unit: 'ms' | 'count' | 'bytes' | 'percent';
  readonly source: string;
  readonly meaning: string;
}

export const entry = (value: number, unit: Default['unit'], source: string, meaning: string): Default => ({
  value,
  unit,
  source,
  meaning,
});
