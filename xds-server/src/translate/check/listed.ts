const MOST = 3;

/** A few names, and how many more. */
export const listed = (names: readonly string[]): string => {
  const distinct = [...new Set(names)];
  const more = distinct.length - MOST;
  return distinct.slice(0, MOST).join(', ') + (more > 0 ? ` and ${more} more` : '');
};
