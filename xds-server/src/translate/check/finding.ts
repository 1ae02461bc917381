import type { Severity } from '../../schema/types.ts';

/** Something a rule says that will not happen as written; the object is the one that was checked. */
export interface Finding {
  readonly severity: Severity;
  readonly fieldPath: string;
  readonly message: string;
}

export const warning = (fieldPath: string, message: string): Finding => ({ severity: 'warning', fieldPath, message });
