import { lowerCode } from '../match/ascii.ts';

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
  readonly children: Map<number, TrieNode>;
  /** Routes whose whole path ends here. */
  readonly exact: number[];
  /** Routes whose prefix ends here. */
  readonly prefixed: number[];
  /** The nearest node above that has prefix routes. */
  up: TrieNode | undefined;
}

const newNode = (label: string, depth: number): TrieNode => ({
  label,
  depth,
  children: new Map(),
  exact: [],
  prefixed: [],
  up: undefined,
});

export const createTrie = (): TrieNode => newNode('', 0);

/** The node for `text`, made if need be. Where case is ignored, `text` is lower case. */
export function nodeAt(root: TrieNode, text: string): TrieNode {
  let node = root;
  while (node.depth < text.length) {
    const code = text.charCodeAt(node.depth);
    const child = node.children.get(code);
    if (child === undefined) {
      const leaf = newNode(text.slice(node.depth), text.length);
      node.children.set(code, leaf);
      return leaf;
    }
    const shared = sharedLength(child.label, text, node.depth);
    node = shared === child.label.length ? child : split(node, child, shared);
  }
  return node;
}

function sharedLength(label: string, text: string, from: number): number {
  let size = 1;
  while (size < label.length && label.charCodeAt(size) === text.charCodeAt(from + size)) size++;
  return size;
}

function split(parent: TrieNode, child: TrieNode, size: number): TrieNode {
  const middle = newNode(child.label.slice(0, size), parent.depth + size);
  parent.children.set(child.label.charCodeAt(0), middle);
  middle.children.set(child.label.charCodeAt(size), child);
  child.label = child.label.slice(size);
  return middle;
}

/** Sets `up` everywhere; call once after the last insertion. */
export function linkTrie(root: TrieNode): void {
  for (const child of root.children.values()) {
    child.up = root.prefixed.length > 0 ? root : root.up;
    linkTrie(child);
  }
}

/** The deepest node that `path`, up to `end`, passes through. */
export function deepest(root: TrieNode, path: string, end: number, ignoreCase: boolean): TrieNode {
  let node = root;
  while (node.depth < end) {
    const code = path.charCodeAt(node.depth);
    const child = node.children.get(ignoreCase ? lowerCode(code) : code);
    if (child === undefined || child.depth > end || !follows(child.label, path, node.depth, ignoreCase)) return node;
    node = child;
  }
  return node;
}

function follows(label: string, path: string, from: number, ignoreCase: boolean): boolean {
  for (let i = 1; i < label.length; i++) {
    const code = path.charCodeAt(from + i);
    if ((ignoreCase ? lowerCode(code) : code) !== label.charCodeAt(i)) return false;
  }
  return true;
}

/** The smallest number above `after` in a rising list, or `bound`. */
export function nextIn(list: readonly number[], after: number, bound: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle] ?? bound) > after) high = middle;
    else low = middle + 1;
  }
  const found = list[low];
  return found === undefined || found > bound ? bound : found;
}

/** The lowest route above `after` that the path's nodes offer, or `bound`. */
export function nextCandidate(deepestNode: TrieNode | undefined, end: number, after: number, bound: number): number {
  let best = bound;
  if (deepestNode !== undefined && deepestNode.depth === end) best = nextIn(deepestNode.exact, after, best);
  for (let node = deepestNode; node !== undefined; node = node.up) best = nextIn(node.prefixed, after, best);
  return best;
}
