type Fetch = typeof globalThis.fetch;

/** Marks a fetch that `install()` put in the place of another. */
export const REPLACED: unique symbol = Symbol.for('inmesh.replaced-fetch.1') as never;

/** The platform's own, whatever has been installed in its place by any copy of the mesh. */
export function originalFetch(): Fetch {
  let current: Fetch & { [REPLACED]?: Fetch } = globalThis.fetch;
  while (current[REPLACED] !== undefined) current = current[REPLACED];
  return current;
}

/** `dispatcher` is undici's own addition to fetch's init; the caller's wins, since he chose his transport himself. */
export function platformFetch(
  input: string | URL | Request,
  init: RequestInit | undefined,
  dispatcher: object,
): Promise<Response> {
  return originalFetch()(input, { dispatcher, ...init } as RequestInit);
}
