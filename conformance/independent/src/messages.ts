// The messages of the wire as schemas, and the registry of payload types.
import {
  bool, bytes, manyBytes, manySub, manyText, manyU32, manyU64, message, type Message, sub, text, u32, u64,
} from "./protobuf.js";

type Of<M> = M extends Message<infer T> ? T : never;

export const Header = message({ session_id: bytes(1), sequence: u64(2), previous: bytes(3) });
export type Header = Of<typeof Header>;

const header = { header: sub(1, Header) };

export const Hello = message({
  ...header, versions: manyU32(2), suites: manyU32(3), modes: manyText(4), key_history: manyBytes(5),
  nonce: bytes(6), verifier_tls: bytes(7), prover_tls: bytes(8),
});
export type Hello = Of<typeof Hello>;

export const HelloReply = message({
  ...header, version: u32(2), suite: u32(3), mode: text(4), key_history: manyBytes(5),
  nonce: bytes(6), verifier_tls: bytes(7), prover_tls: bytes(8),
});
export type HelloReply = Of<typeof HelloReply>;

export const Propose = message({
  ...header, terms: bytes(2), attempt: u32(3), earlier_heads: manyBytes(4), coin_commitment: bytes(5),
  test_set: bytes(6),
});
export type Propose = Of<typeof Propose>;

export const Accept = message({
  ...header, terms_digest: bytes(2), declared_counts: manyU64(3), coin_commitment: bytes(4),
  model_claim: bytes(5), evidence: manyBytes(6),
});
export type Accept = Of<typeof Accept>;

export const Ending = message({ ...header, reason: text(2), detail: text(3) });
export type Ending = Of<typeof Ending>;

export const Coin = message({ ...header, coin: bytes(2), key: bytes(3) });
export type Coin = Of<typeof Coin>;

export const Unit = message({
  item: u64(1), sample: u32(2), prompt_commitment: bytes(3), reference_commitment: bytes(4),
  proof: manyBytes(5), size: u64(6),
});
export type Unit = Of<typeof Unit>;

export const Challenge = message({ ...header, units: manySub(2, Unit), stream_digest: bytes(3) });
export type Challenge = Of<typeof Challenge>;

export const Answer = message({ output_commitment: bytes(1), size: u64(2) });
export type Answer = Of<typeof Answer>;

export const Answers = message({ ...header, answers: manySub(2, Answer), stream_digest: bytes(3) });
export type Answers = Of<typeof Answers>;

export const Stop = message({ ...header, counts: manyU64(2) });
export type Stop = Of<typeof Stop>;

export const ClaimedResult = message({ codes: bytes(1), key: bytes(2), proof: manyBytes(3) });
export type ClaimedResult = Of<typeof ClaimedResult>;

export const Open = message({ ...header, sizes: manyU64(2), stream_digest: bytes(3), results: manySub(4, ClaimedResult) });
export type Open = Of<typeof Open>;

export const Binding = message({ ...header, statement: bytes(2) });
export type Binding = Of<typeof Binding>;

export const Acknowledge = message({
  ...header, verdict_digest: bytes(2), result_root: bytes(3), stream_digest: bytes(4),
});
export type Acknowledge = Of<typeof Acknowledge>;

export const Dissent = message({ ...header, verdict_digest: bytes(2), detail: text(3) });
export type Dissent = Of<typeof Dissent>;

export const ChamberEvidence = message({ keys: bytes(1), evidence: bytes(2) });
export const Evidence = message({ ...header, chambers: manySub(2, ChamberEvidence) });
export type Evidence = Of<typeof Evidence>;

export const WrappedKey = message({ keys_digest: bytes(1), wrapped: bytes(2) });
export const Release = message({ ...header, keys: manySub(2, WrappedKey), size: u64(3) });
export type Release = Of<typeof Release>;

export const Receipt = message({ ...header, statements: manyBytes(2) });
export type Receipt = Of<typeof Receipt>;

export const KINDS = {
  hello: Hello,
  "hello-reply": HelloReply,
  propose: Propose,
  accept: Accept,
  decline: Ending,
  coin: Coin,
  challenge: Challenge,
  answers: Answers,
  stop: Stop,
  open: Open,
  binding: Binding,
  acknowledge: Acknowledge,
  dissent: Dissent,
  abort: Ending,
  evidence: Evidence,
  release: Release,
  refusal: Ending,
  receipt: Receipt,
} as const;

export type Kind = keyof typeof KINDS;

const PREFIX = "application/vnd.parley.";
const SUFFIX = ".v1+proto";

export function payloadType(kind: Kind): string {
  return PREFIX + kind + SUFFIX;
}

export function kindOf(type: string): Kind | null {
  if (!type.startsWith(PREFIX) || !type.endsWith(SUFFIX)) return null;
  const name = type.slice(PREFIX.length, type.length - SUFFIX.length);
  return Object.hasOwn(KINDS, name) ? (name as Kind) : null;
}

// The frames of the stream, outside anything signed.
export const SignatureFrame = message({ key: bytes(1), value: bytes(2) });
export const EnvelopeFrame = message({ payload_type: text(1), payload: bytes(2), signatures: manySub(3, SignatureFrame) });
export const BlobChunk = message({ offset: u64(1), data: bytes(2) });
export const Ping = message({ reply: bool(1) });
export const Resume = message({ session_id: bytes(1), sequence: u64(2), head: bytes(3) });
export type Resume = Of<typeof Resume>;
export const SideRecord = message({ sealed: bytes(1) });
export const Frame = message({
  envelope: sub(1, EnvelopeFrame), chunk: sub(2, BlobChunk), ping: sub(3, Ping), resume: sub(4, Resume),
  side: sub(5, SideRecord),
});
export type Frame = Of<typeof Frame>;
export const FrameCarrier = message({ frame: sub(1, Frame) });

export const DescribeRequest = message({});
export const DescribeResponse = message({
  versions: manyU32(1), suites: manyU32(2), modes: manyText(3), root: bytes(4), model_claims: manyBytes(5),
  max_payload: u64(6), max_sessions: u32(7), capabilities: manyText(8),
});
