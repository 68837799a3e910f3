// The commitment of a model claim, from the files of the model and its secrets.
import { type Bytes, concat, hex, u64, utf8 } from "./bytes.js";
import { frame, mac } from "./framing.js";
import { canonical, type Json } from "./json.js";
import { cutModel, type ModelFiles, type Segment } from "./segments.js";
import { leafHash, rootOf, seedLeaves } from "./tree.js";

const CHUNK = 65536;

function chunksOf(segment: Segment, files: ModelFiles): Bytes[] {
  const bytes = (files.get(segment.path) ?? concat()).subarray(segment.offset, segment.offset + segment.size);
  const out: Bytes[] = [];
  for (let at = 0; at < bytes.length; at += CHUNK) out.push(bytes.subarray(at, at + CHUNK));
  return out;
}

export interface Committed {
  readonly what: readonly Bytes[];
  readonly where: readonly Bytes[];
  readonly treeRoot: Bytes;
  readonly total: Bytes;
  readonly content: Bytes;
  readonly commitment: Bytes;
}

export function commitModel(files: ModelFiles, owner: Bytes, claimId: Bytes, key: Bytes, series: Bytes): Committed {
  const segments = cutModel(files);
  const salt = (secret: Bytes, name: string): Bytes => mac(secret, "model-salt", utf8(name));
  const seeds = seedLeaves(salt(series, "entries"), segments.length);
  const what: Bytes[] = [];
  const where: Bytes[] = [];
  const leaves: Bytes[] = [];
  let [first, bytes] = [0, 0];
  segments.forEach((segment, n) => {
    const seed = seeds[n] as Bytes;
    const chunks = chunksOf(segment, files);
    const salts = chunks.length === 0 ? [] : seedLeaves(salt(seed, "chunks"), chunks.length);
    const root = rootOf(chunks.map((chunk, j) => leafHash(frame("model-chunk", salts[j] as Bytes, chunk))));
    const { path, kind, size, name, dtype, shape } = segment;
    const entry: Json = { path, kind, size, root: hex(root), ...(kind === "tensor" ? { name, dtype, shape: [...shape] } : {}) };
    const both = [canonical(entry), canonical({ offset: segment.offset, first_chunk: first })] as const;
    const committed = (["what", "where"] as const).map((part, i) =>
      mac(mac(seed, "model-manifest", utf8(part)), "model-manifest", utf8(part), both[i] as Bytes));
    what.push(both[0]);
    where.push(both[1]);
    leaves.push(leafHash(...committed));
    first += chunks.length;
    bytes += size;
  });
  const secret = (name: string): Bytes => mac(series, "model-series", utf8(name));
  const treeRoot = rootOf(leaves);
  const total = mac(secret("total"), "model-series", utf8("total"), u64(bytes), u64(first));
  const content = mac(secret("content"), "model-series", utf8("content"), treeRoot, u64(segments.length), total);
  return { what, where, treeRoot, total, content, commitment: mac(key, "model-claim", owner, claimId, content) };
}
