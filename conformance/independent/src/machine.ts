// The state machine: the checks on every envelope in their order, and the effect of accepted turns.
import { type Bytes, equal } from "./bytes.js";
import { accept, boundsAccept, boundsEnding, boundsPropose, coin, propose } from "./agree.js";
import { answers, boundsAnswers, boundsChallenge, challenge, stop } from "./ask.js";
import { streamDigest } from "./commitments.js";
import { checkBounds, type Envelope, pae, type Signature } from "./envelope.js";
import { verify } from "./ed25519.js";
import { demand, type Party, refuse, Refusal } from "./errors.js";
import { digest, sha256 } from "./framing.js";
import { boundsHello, boundsReply, hello, helloReply } from "./greet.js";
import * as M from "./messages.js";
import { boundsEvidence, boundsReceipt, boundsRelease, evidence, receipt, release } from "./sealed.js";
import { type Blob, nextState, Session, turnOf } from "./session.js";
import {
  acknowledge, binding, boundsAcknowledge, boundsBinding, boundsDissent, boundsOpen, dissent, open,
} from "./show.js";
import { counted, type Options, silent, sized, type Turn } from "./turns.js";

const EMPTY = new Uint8Array(0);

/** An envelope whose checks up to its content passed. */
export interface Pending {
  readonly head: Bytes;
  readonly pae: Bytes;
  readonly author: Party;
  readonly kind: M.Kind;
  readonly turn: Turn;
  /** Whether faults of its content blame the sender: not in a party's first message. */
  readonly blames: boolean;
}

export type Admission = { readonly duplicate: true } | { readonly duplicate: false; readonly pending: Pending };

export interface Parsed { readonly kind: M.Kind; readonly value: { readonly header: M.Header | undefined }; readonly unknown: boolean }

function parsePayload(kind: M.Kind, payload: Bytes): Parsed {
  const { value, unknown } = M.KINDS[kind].read(payload);
  return { kind, value, unknown };
}

function digestSize(bytes: Bytes): void {
  demand(bytes.length === 32 || bytes.length === 0, "MALFORMED", "a digest of another size");
}

export class Machine {
  readonly session = new Session();

  constructor(protected readonly options: Options) {}

  /** Steps 1 to 10. Refuses, finds a duplicate, or says what content has to follow. */
  admit(envelope: Envelope): Admission {
    const s = this.session;
    checkBounds(envelope);
    const encoded = pae(envelope.payloadType, envelope.payload);
    const signature = this.signature(envelope, encoded);
    const author = this.author(signature.key);
    const kind = M.kindOf(envelope.payloadType) ?? refuse("UNSUPPORTED", "an unknown payload type");
    const parsed = parsePayload(kind, envelope.payload);
    const header = parsed.value.header ?? refuse("MALFORMED", "a message without a header");
    digestSize(header.session_id);
    digestSize(header.previous);
    const n = BigInt(s.length);
    const { sequence } = header;
    if (sequence > 2n) this.ofSession(header, s.sessionId);
    const head = sha256(encoded);
    if (sequence >= 1n && sequence <= n) return this.filled(Number(sequence), head, header, parsed, author);
    this.ofSession(header, n < 2n ? EMPTY : s.sessionId);
    this.isNext(header);
    this.follows(header);
    const sender: Party = author;
    const blames = s.length >= 2;
    try {
      this.known(parsed);
      this.bounds(parsed);
      const next = nextState(s, kind);
      demand(turnOf(s) === sender && next !== null, "OUT_OF_ORDER", `${kind} of the ${sender} in state ${s.state}`);
      const turn = this.section(parsed, sender, signature.key);
      return { duplicate: false, pending: { head, pae: encoded, author: sender, kind, turn, blames } };
    } catch (error) {
      throw this.blamed(error, sender, blames);
    }
  }

  /** Step 11, and the effect of the turn. */
  complete(pending: Pending, blobs: readonly Blob[]): void {
    const { turn } = pending;
    const fits = blobs.length === turn.sizes.length && blobs.every((b, i) => b.size === turn.sizes[i]);
    demand(fits, "BLOB_MISMATCH", "other content than announced");
    if (turn.stream !== null) this.streamed(turn.stream, blobs);
    try {
      turn.content(blobs);
    } catch (error) {
      throw this.blamed(error, pending.author, pending.blames);
    }
    const s = this.session;
    turn.apply(blobs);
    s.state = nextState(s, pending.kind) ?? s.state;
    s.slots.push({ head: pending.head, pae: pending.pae, author: pending.author, kind: pending.kind });
    if (s.length === 2) s.sessionId = digest("session", ...s.slots.map((slot) => slot.pae));
  }

  /** Steps of their own, one a method. */
  protected signature(envelope: Envelope, encoded: Bytes): Signature {
    const [signature, more] = envelope.signatures;
    demand(signature !== undefined && more === undefined, "MALFORMED", "another count of signatures than one");
    demand(verify(signature.key, encoded, signature.value), "BAD_SIGNATURE", "a signature that does not verify");
    return signature;
  }

  protected ofSession(header: M.Header, id: Bytes): void {
    demand(equal(header.session_id, id), "WRONG_SESSION", "another session");
  }

  protected isNext(header: M.Header): void {
    demand(header.sequence === BigInt(this.session.length + 1), "WRONG_SEQUENCE", "another number than the next");
  }

  protected follows(header: M.Header): void {
    demand(equal(header.previous, this.session.head), "WRONG_PREVIOUS", "another predecessor than the last message");
  }

  protected known(parsed: Parsed): void {
    demand(!parsed.unknown, "UNKNOWN_FIELD", "a field that is not defined");
  }

  protected streamed(announced: Bytes, blobs: readonly Blob[]): void {
    const stream = streamDigest(blobs.map((b) => b.digest));
    demand(equal(stream, announced), "STREAM_MISMATCH", "content of another digest than announced");
  }

  private author(key: Bytes): Party {
    const s = this.session;
    if (s.verifier === null) return "verifier";
    if (equal(key, s.verifier.key)) return "verifier";
    if (s.prover === null || equal(key, s.prover.key)) return "prover";
    return refuse("BAD_SIGNATURE", "a key of no party of this session");
  }

  /** Step 6: a message for a slot that is filled. */
  protected filled(sequence: number, head: Bytes, header: M.Header, parsed: Parsed, author: Party): Admission {
    const s = this.session;
    const slot = s.slots[sequence - 1];
    if (slot === undefined) return refuse("WRONG_SEQUENCE", "no such slot");
    if (equal(slot.head, head)) return { duplicate: true };
    if (sequence <= 2) {
      const own = (author === "verifier" ? s.verifier : s.prover)?.nonce;
      const value = parsed.value as { readonly nonce?: Bytes };
      demand(own !== undefined && value.nonce !== undefined && equal(value.nonce, own), "WRONG_SESSION", "a greeting of another session");
    }
    if (slot.author === author) throw new Refusal("EQUIVOCATION", "a second message for one slot", author);
    const before = s.slots[sequence - 2]?.head ?? EMPTY;
    const blame = sequence > 2 && equal(header.previous, before);
    throw new Refusal("OUT_OF_ORDER", "a message for the other party's slot", blame ? author : null);
  }

  private blamed(error: unknown, sender: Party, blames: boolean): unknown {
    if (!(error instanceof Refusal)) return error;
    const exempt = error.reason === "UNKNOWN_PARTY" || error.reason === "CHANNEL_MISMATCH" || !blames;
    return error.blaming(exempt ? null : sender);
  }

  /** Step 8: lengths and counts of every kind. */
  protected bounds(parsed: Parsed): void {
    const v = parsed.value;
    switch (parsed.kind) {
      case "hello": return boundsHello(v as M.Hello);
      case "hello-reply": return boundsReply(v as M.HelloReply);
      case "propose": return boundsPropose(v as M.Propose);
      case "accept": return boundsAccept(v as M.Accept);
      case "decline": case "abort": return boundsEnding(v as M.Ending);
      case "coin": sized((v as M.Coin).coin); sized((v as M.Coin).key); return;
      case "challenge": return boundsChallenge(v as M.Challenge);
      case "answers": return boundsAnswers(v as M.Answers);
      case "stop": return counted((v as M.Stop).counts.length, 1, 64);
      case "open": return boundsOpen(v as M.Open);
      case "binding": return boundsBinding(v as M.Binding);
      case "acknowledge": return boundsAcknowledge(v as M.Acknowledge);
      case "dissent": return boundsDissent(v as M.Dissent);
      case "refusal": return boundsEnding(v as M.Ending);
      case "evidence": return boundsEvidence(v as M.Evidence);
      case "release": return boundsRelease(v as M.Release);
      case "receipt": return boundsReceipt(v as M.Receipt);
    }
  }

  /** Step 10. */
  protected section(parsed: Parsed, sender: Party, key: Bytes): Turn {
    const s = this.session;
    const v = parsed.value;
    switch (parsed.kind) {
      case "hello": return hello(s, this.options, key, v as M.Hello);
      case "hello-reply": return helloReply(s, this.options, key, v as M.HelloReply);
      case "propose": return propose(s, this.options, v as M.Propose);
      case "accept": return accept(s, v as M.Accept);
      case "coin": return coin(s, sender, v as M.Coin);
      case "challenge": return challenge(s, v as M.Challenge);
      case "answers": return answers(s, v as M.Answers);
      case "stop": return stop(s, v as M.Stop);
      case "open": return open(s, v as M.Open);
      case "binding": return binding(s, v as M.Binding);
      case "acknowledge": return acknowledge(s, sender, v as M.Acknowledge);
      case "dissent": return dissent(s, sender, v as M.Dissent);
      case "evidence": return evidence(s, v as M.Evidence);
      case "release": return release(s, v as M.Release);
      case "receipt": return receipt(s, v as M.Receipt);
      case "decline": case "refusal": case "abort": return silent(() => undefined);
    }
  }
}
