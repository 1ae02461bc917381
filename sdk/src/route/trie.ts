import { lowerCode } from '../match/ascii.ts';
import { isPathEnd } from '../match/query.ts';

/**
 * Exact paths and prefixes of one virtual host as a radix trie. A walk costs the length of the path, however many
 * routes there are; the numbers at the nodes are route indices in rising order, so the order of the configuration
 * (first match wins) survives.
 */
export interface TrieNode {
  /** What leads here from the parent, its first character included. */
  label: string;
  /** Characters from the root. */
  depth: number;
  /** Children by their first character, the one with code `lowest` first. */
  children: (TrieNode | undefined)[];
  lowest: number;
  /** Routes whose whole path ends here. */
  exact: number[];
  /** Routes whose prefix ends here. */
  prefixed: number[];
  /** The nearest node above that has prefix routes. */
  up: TrieNode | undefined;
}

/** Shared by every node without routes; never written to. */
const NO_ROUTES: number[] = [];

const newNode = (label: string, depth: number): TrieNode => ({
  label,
  depth,
  children: [],
  lowest: 0,
  exact: NO_ROUTES,
  prefixed: NO_ROUTES,
  up: undefined,
});

export const createTrie = (): TrieNode => newNode('', 0);

/**
 * Whether a path may be kept in a trie: printable ASCII, so that a node's children are a short list, and no character
 * that ends a path, so that a walk needs not look for the query string first.
 */
export const isIndexable = (path: string): boolean => /^[!"$->@-~]*$/.test(path);

const childOf = (node: TrieNode, code: number): TrieNode | undefined => node.children[code - node.lowest];

function setChild(node: TrieNode, child: TrieNode): void {
  const code = child.label.charCodeAt(0);
  if (node.children.length === 0) node.lowest = code;
  while (code < node.lowest) {
    node.children.unshift(undefined);
    node.lowest--;
  }
  while (node.children.length <= code - node.lowest) node.children.push(undefined);
  node.children[code - node.lowest] = child;
}

/** The node for `text`, made if need be. Where case is ignored, `text` is lower case. */
export function nodeAt(root: TrieNode, text: string): TrieNode {
  let node = root;
  while (node.depth < text.length) {
    const child = childOf(node, text.charCodeAt(node.depth));
    if (child === undefined) {
      const leaf = newNode(text.slice(node.depth), text.length);
      setChild(node, leaf);
      return leaf;
    }
    const shared = sharedLength(child.label, text, node.depth);
    node = shared === child.label.length ? child : split(node, child, shared);
  }
  return node;
}

/** Numbers are added in rising order. */
export function addRoute(node: TrieNode, list: 'exact' | 'prefixed', route: number): void {
  if (node[list].length === 0) node[list] = [route];
  else node[list].push(route);
}

function sharedLength(label: string, text: string, from: number): number {
  let size = 1;
  while (size < label.length && label.charCodeAt(size) === text.charCodeAt(from + size)) size++;
  return size;
}

function split(parent: TrieNode, child: TrieNode, size: number): TrieNode {
  const middle = newNode(child.label.slice(0, size), parent.depth + size);
  setChild(parent, middle);
  child.label = child.label.slice(size);
  setChild(middle, child);
  return middle;
}

const NODES_A_STEP = 256;

/** Sets `up` everywhere, in slices; to be done after the last insertion. */
export function* linkTrie(root: TrieNode): Generator<undefined, void> {
  const left = [root];
  let count = 0;
  for (let node = left.pop(); node !== undefined; node = left.pop()) {
    for (const child of node.children) {
      if (child === undefined) continue;
      child.up = node.prefixed.length > 0 ? node : node.up;
      if (child.children.length > 0) left.push(child);
      if (++count % NODES_A_STEP === 0) yield;
    }
  }
}

/** The deepest node that `path` passes through. */
export function deepest(root: TrieNode, path: string): TrieNode {
  let node = root;
  for (;;) {
    const child = childOf(node, path.charCodeAt(node.depth));
    if (child === undefined || (child.label.length > 1 && !path.startsWith(child.label, node.depth))) return node;
    node = child;
  }
}

/** The same in a trie whose paths are lower case. */
export function deepestIgnoringCase(root: TrieNode, path: string): TrieNode {
  let node = root;
  for (;;) {
    const child = childOf(node, lowerCode(path.charCodeAt(node.depth)));
    if (child === undefined || !followsIgnoringCase(child.label, path, node.depth)) return node;
    node = child;
  }
}

function followsIgnoringCase(label: string, path: string, from: number): boolean {
  for (let i = 1; i < label.length; i++) {
    if (lowerCode(path.charCodeAt(from + i)) !== label.charCodeAt(i)) return false;
  }
  return true;
}

/** The lowest route above `after` that the nodes of the path offer, or `bound`. */
export function nextCandidate(found: TrieNode | undefined, path: string, after: number, bound: number): number {
  if (found === undefined) return bound;
  let best = found.exact.length > 0 && isPathEnd(path, found.depth) ? nextIn(found.exact, after, bound) : bound;
  for (let node: TrieNode | undefined = found; node !== undefined; node = node.up)
    best = nextIn(node.prefixed, after, best);
  return best;
}

/** The smallest number above `after` in a rising list, or `bound`. */
export function nextIn(list: readonly number[], after: number, bound: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const value = list[middle];
    if (value !== undefined && value <= after) low = middle + 1;
    else high = middle;
  }
  const next = low < list.length ? list[low] : undefined;
  return next === undefined || next > bound ? bound : next;
}
