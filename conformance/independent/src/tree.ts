// The Merkle tree of RFC 9162 over given leaf hashes, inclusion proofs, and the seed tree of keys.
import { type Bytes, equal } from "./bytes.js";
import { refuse } from "./errors.js";
import { digest, sha256 } from "./framing.js";

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
const MAX_PROOF = 64;

export function leafHash(...parts: readonly Bytes[]): Bytes {
  return sha256(LEAF, ...parts);
}

export function nodeHash(left: Bytes, right: Bytes): Bytes {
  return sha256(NODE, left, right);
}

export function rootOf(leaves: readonly Bytes[]): Bytes {
  if (leaves.length === 0) return sha256();
  let level: readonly Bytes[] = leaves;
  while (level.length > 1) {
    const next: Bytes[] = [];
    for (let i = 0; i < level.length; i += 2) {
      const left = level[i];
      const right = level[i + 1];
      if (left === undefined) break;
      next.push(right === undefined ? left : nodeHash(left, right));
    }
    level = next;
  }
  return level[0] ?? sha256();
}

/** Checks an inclusion proof; its length must be exactly what index and size require. */
export function checkInclusion(leaf: Bytes, index: bigint, size: bigint, proof: readonly Bytes[], root: Bytes): void {
  if (index < 0n || index >= size || proof.length > MAX_PROOF) refuse("BAD_PROOF", "an index beyond the tree");
  let hash = leaf;
  let used = 0;
  let position = index;
  let last = size - 1n;
  while (last > 0n) {
    // A right child, or a left one with a sibling, takes a hash; a node at the edge moves up alone.
    if ((position & 1n) === 1n || position < last) {
      const sibling = proof[used++];
      if (sibling === undefined || sibling.length !== 32) refuse("BAD_PROOF", "a proof that is too short");
      hash = (position & 1n) === 1n ? nodeHash(sibling, hash) : nodeHash(hash, sibling);
    }
    position >>= 1n;
    last >>= 1n;
  }
  if (used !== proof.length) refuse("BAD_PROOF", "a proof that is too long");
  if (!equal(hash, root)) refuse("BAD_PROOF", "a proof of another root");
}

export function proofOf(leaves: readonly Bytes[], index: number): Bytes[] {
  const proof: Bytes[] = [];
  let level: readonly Bytes[] = leaves;
  let position = index;
  while (level.length > 1) {
    const sibling = level[position ^ 1];
    if (sibling !== undefined) proof.push(sibling);
    const next: Bytes[] = [];
    for (let i = 0; i < level.length; i += 2) {
      const left = level[i] as Bytes;
      const right = level[i + 1];
      next.push(right === undefined ? left : nodeHash(left, right));
    }
    level = next;
    position >>= 1;
  }
  return proof;
}

function height(size: bigint): number {
  return size <= 1n ? 0 : (size - 1n).toString(2).length;
}

function child(seed: Bytes, right: boolean): Bytes {
  return digest(right ? "seed-right" : "seed-left", seed);
}

/** Leaf `index` of the seed tree with `size` leaves. */
export function seedLeaf(seed: Bytes, size: bigint, index: bigint): Bytes {
  let node = seed;
  for (let level = height(size) - 1; level >= 0; level--) {
    node = child(node, ((index >> BigInt(level)) & 1n) === 1n);
  }
  return node;
}

/** All leaves of a seed tree, from the left. */
export function seedLeaves(seed: Bytes, size: number): Bytes[] {
  let level: Bytes[] = [seed];
  for (let h = height(BigInt(size)); h > 0; h--) {
    const width = Math.ceil(size / 2 ** (h - 1));
    const next: Bytes[] = [];
    for (const node of level) {
      next.push(child(node, false));
      if (next.length < width) next.push(child(node, true));
    }
    level = next;
  }
  return level.slice(0, size);
}

