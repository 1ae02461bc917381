/** One resource of a target as far as it is known. A value stays when a newer version of it is bad. */
export type Part<T> =
  | { readonly kind: 'pending' }
  | { readonly kind: 'value'; readonly value: T }
  | { readonly kind: 'absent'; readonly reason: string }
  | { readonly kind: 'bad'; readonly reason: string };

export const PENDING: Part<never> = { kind: 'pending' };
