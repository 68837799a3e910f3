// Commitments: items, outputs, coins, result bits; the stream digest; tickets and sampling seeds.
import { type Bytes, readU64, u64, utf8 } from "./bytes.js";
import type { Party } from "./errors.js";
import { digest, mac } from "./framing.js";
import { leafHash, rootOf, seedLeaf, seedLeaves } from "./tree.js";

export type Field = "prompt" | "reference";

export function itemCommitment(
  key: Bytes, owner: Bytes, setId: Bytes, index: bigint, field: Field, content: Bytes,
): Bytes {
  return mac(key, "item", owner, setId, u64(index), utf8(field), digest("content", content));
}

export function itemLeaf(prompt: Bytes, reference: Bytes): Bytes {
  return leafHash(prompt, reference);
}

/** The key of one field of an item, from the master secret of its set. */
export function itemKey(
  master: Bytes, owner: Bytes, setId: Bytes, size: bigint, index: bigint, field: Field,
): Bytes {
  return seedLeaf(mac(master, "field-seed", owner, setId, utf8(field)), size, index);
}

export function outputCommitment(
  key: Bytes, exercise: Bytes, item: bigint, sample: number, output: Bytes,
): Bytes {
  return mac(key, "output", exercise, u64(item), u64(sample), digest("content", output));
}

export function coinCommitment(key: Bytes, exercise: Bytes, role: Party, coin: Bytes): Bytes {
  return mac(key, "coin", exercise, utf8(role), coin);
}

export function jointSeed(exercise: Bytes, commitV: Bytes, commitP: Bytes, coinV: Bytes, coinP: Bytes): Bytes {
  return digest("seed", exercise, commitV, commitP, coinV, coinP);
}

export function resultRoot(seed: Bytes, exercise: Bytes, perUnit: readonly Bytes[]): Bytes {
  const salts = seedLeaves(seed, perUnit.length);
  const leaves = perUnit.map((bytes, n) =>
    leafHash(mac(salts[n] as Bytes, "result-bit", exercise, u64(n), bytes)));
  return rootOf(leaves);
}

export function blobDigest(blob: Bytes): Bytes {
  return digest("blob", blob);
}

export function streamDigest(blobDigests: readonly Bytes[]): Bytes {
  return digest("stream", ...blobDigests);
}

export function ticket(root: Bytes, seed: Bytes, item: bigint, sample: number): Bytes {
  return digest("ticket", root, seed, u64(item), u64(sample));
}

export function samplingSeed(seed: Bytes, item: bigint, sample: number): bigint {
  return readU64(digest("sampling", seed, u64(item), u64(sample)), 0) >> 1n;
}

export function fingerprint(rootKey: Bytes): Bytes {
  return digest("root-key", rootKey);
}

