/** Said of a resource that must not be answered for now: what is known of it may be less than there is. */
export const NOT_YET = Symbol('not yet');

/** How an answer finds a resource; `held` is the version the client has, undefined where it has none. */
export type Find<R> = (name: string, held: string | undefined) => R | undefined | typeof NOT_YET;
