// For tests only: provers that cheat or leave a check out, each one change away from the honest prover.
import { Metadata, status } from "@grpc/grpc-js";
import { type Bytes, concat, fromUtf8 } from "./bytes.js";
import { blobDigest, streamDigest } from "./commitments.js";
import type { Envelope, Signature } from "./envelope.js";
import { signEnvelope } from "./envelope.js";
import { type Party, Refusal } from "./errors.js";
import { type Admission, Machine, type Parsed } from "./machine.js";
import * as M from "./messages.js";
import type { Config } from "./prover/config.js";
import { Dialogue, type Surroundings } from "./prover/dialogue.js";
import { Incoming } from "./prover/incoming.js";
import type { StoredTurn } from "./prover/journal.js";
import { HONEST, type Parts } from "./prover/server.js";
import { random, type Said, Speaker } from "./prover/speaker.js";
import { type Kept, Store } from "./prover/store.js";
import { serve } from "./prover.js";
import { type Blob, known, type Session } from "./session.js";
import type { Terms } from "./terms.js";
import { type Options, silent, type Turn } from "./turns.js";

export interface Mutant { readonly what: string; readonly requirement: string; readonly parts: Partial<Parts> }

function flip(bytes: Bytes): Bytes {
  return bytes.map((b, i) => (i === 0 ? b ^ 1 : b));
}

/** Another turn on the wire than the one in the journal. */
type Lie = (turn: StoredTurn, kind: M.Kind, sign: (payload: Bytes) => Envelope) => StoredTurn | null;

function lying(lie: Lie): Partial<Parts> {
  let secret: Bytes = new Uint8Array(32);
  class Liar extends Dialogue {
    protected override sendTurn(turn: StoredTurn): void {
      const kind = M.kindOf(turn.envelope.payloadType);
      const sign = (payload: Bytes): Envelope => signEnvelope(secret, turn.envelope.payloadType, payload);
      super.sendTurn((kind === null ? null : lie(turn, kind, sign)) ?? turn);
    }
  }
  const speaker: Parts["speaker"] = (config: Config, engine) => {
    secret = config.identity.session;
    return HONEST.speaker(config, engine);
  };
  return { speaker, dialogue: (around: Surroundings) => new Liar(around) };
}

function answersLie(change: (m: M.Answers, blobs: Bytes[]) => { answers?: M.Answers["answers"]; blobs: Bytes[]; stream?: Bytes }): Partial<Parts> {
  return lying((turn, kind, sign) => {
    if (kind !== "answers") return null;
    const message = M.Answers.read(turn.envelope.payload).value;
    const { answers, blobs, stream } = change(message, [...turn.blobs]);
    const stream_digest = stream ?? streamDigest(blobs.map(blobDigest));
    return { envelope: sign(M.Answers.write({ ...message, answers: answers ?? message.answers, stream_digest })), blobs };
  });
}

function acknowledgeLie(change: (m: M.Acknowledge, blob: Bytes) => { message: M.Acknowledge; blob: Bytes }): Partial<Parts> {
  return lying((turn, kind, sign) => {
    if (kind !== "acknowledge") return null;
    const { message, blob } = change(M.Acknowledge.read(turn.envelope.payload).value, turn.blobs[0] as Bytes);
    return { envelope: sign(M.Acknowledge.write({ ...message, stream_digest: streamDigest([blobDigest(blob)]) })), blobs: [blob] };
  });
}

type Wrap = (turn: () => Turn, parsed: Parsed, machine: Lax) => Turn;

/** A machine whose section checks a mutant may wrap. */
class Lax extends Machine {
  constructor(options: Options, private readonly wrap: Wrap) {
    super(options);
  }

  protected override section(parsed: Parsed, sender: Party, key: Bytes): Turn {
    return this.wrap(() => super.section(parsed, sender, key), parsed, this);
  }
}

function lax(wrap: Wrap): Partial<Parts> {
  return { machine: (options) => new Lax(options, wrap) };
}

/** Swallows refusals of content with these reasons. */
function blind(kind: M.Kind, reasons: readonly string[]): Partial<Parts> {
  return lax((make, parsed) => {
    const turn = make();
    if (parsed.kind !== kind) return turn;
    return {
      ...turn,
      content(blobs) {
        try {
          turn.content(blobs);
        } catch (error) {
          if (!(error instanceof Refusal) || !reasons.includes(error.reason)) throw error;
        }
      },
    };
  });
}

function machine(make: (options: Options) => Machine): Partial<Parts> {
  return { machine: make };
}

class Unsigned extends Machine {
  protected override signature(envelope: Envelope): Signature {
    return known(envelope.signatures[0]);
  }
}

class ManySigned extends Machine {
  protected override signature(envelope: Envelope, encoded: Bytes): Signature {
    return super.signature({ ...envelope, signatures: envelope.signatures.slice(0, 1) }, encoded);
  }
}

class Tolerant extends Machine {
  protected override known(): void { /* any field is welcome */ }
}

class AnySession extends Machine {
  protected override ofSession(): void { /* any session is */ }
}

class AnyNumber extends Machine {
  protected override isNext(): void { /* any number is */ }
}

class AnyPredecessor extends Machine {
  protected override follows(): void { /* any chain is */ }
}

class AnyStream extends Machine {
  protected override streamed(_announced: Bytes, _blobs: readonly Blob[]): void { /* any content is */ }
}

class Forgetful extends Machine {
  protected override filled(): Admission {
    return { duplicate: true };
  }
}

class Unbounded extends Machine {
  protected override bounds(): void { /* any size is */ }
}

class AnyOffset extends Incoming {
  protected override placed(): boolean {
    return true;
  }
}

class AnyHead extends Dialogue {
  protected override checkHead(_kept: Kept, _m: M.Resume): void { /* any head is */ }
}

class Forgiving extends Store {
  override addFault(): void { /* let us go on */ }
}

const CHATTY: Parts["refused"] = (error) => {
  const wire = HONEST.refused(error);
  const words = error instanceof Error ? `${error.stack ?? error.message}` : "";
  return error instanceof Refusal ? wire : { ...wire, details: words, metadata: wire.metadata };
};

/** Fails on prompts that are no text, and names them. */
const chattySpeaker: Parts["speaker"] = (config, engine) => HONEST.speaker(config, {
  answer(prompt) {
    if (fromUtf8(prompt) === null) throw new Error(`cannot read ${Buffer.from(prompt).toString("latin1")}`);
    return engine.answer(prompt);
  },
});

class OneKey extends Speaker {
  protected override outputKey(): Bytes {
    return new Uint8Array(32).fill(7);
  }
}

class OneCoin extends Speaker {
  protected override accept(s: Session, terms: Terms): Said {
    return super.accept(s, terms, { coin: new Uint8Array(32).fill(1), key: new Uint8Array(32).fill(2) });
  }
}

class AnySides extends Dialogue {
  protected override mostSides(): number {
    return Number.MAX_SAFE_INTEGER;
  }
}

const UNTYPED: Parts["refused"] = () => ({ code: status.UNKNOWN, details: "no", metadata: new Metadata() });

function anyCoin(make: () => Turn, parsed: Parsed, m: Lax): Turn {
  if (parsed.kind !== "coin" || m.session.state !== "accepted") return make();
  const { coin } = parsed.value as M.Coin;
  return silent(() => { m.session.coinV = coin; });
}

function anyOrder(make: () => Turn, parsed: Parsed, m: Lax): Turn {
  if (parsed.kind === "challenge") {
    const { units } = parsed.value as M.Challenge;
    const [order, at] = [[...known(m.session.orders[0])], known(m.session.asked[0])];
    units.forEach((unit, i) => { order[at + i] = { item: unit.item, sample: unit.sample }; });
    m.session.orders = [order, ...m.session.orders.slice(1)];
  }
  return make();
}

function anyVerdict(make: () => Turn, parsed: Parsed, m: Lax): Turn {
  try {
    return make();
  } catch (error) {
    if (parsed.kind !== "acknowledge" || !(error instanceof Refusal) || error.reason !== "WRONG_VERDICT") throw error;
    const bytes = known(m.session.results).bits.reduce((sum, bits) => sum + bits.length, 32);
    return { ...silent(() => undefined), sizes: [BigInt(bytes)], stream: (parsed.value as M.Acknowledge).stream_digest };
  }
}

/** Knows no earlier attempt, whatever came before. */
const amnesia: Partial<Parts> = machine((options) => new Machine({ ...options, earlier: () => null }));

const said = new WeakSet<StoredTurn>();

export const MUTANTS: Readonly<Record<string, Mutant>> = {
  "other-coin": {
    what: "opens another coin than it committed to", requirement: "FRAME-1",
    parts: lying((turn, kind, sign) => {
      if (kind !== "coin") return null;
      const m = M.Coin.read(turn.envelope.payload).value;
      return { ...turn, envelope: sign(M.Coin.write({ ...m, coin: flip(m.coin) })) };
    }),
  },
  "other-terms": {
    what: "accepts other terms than were proposed", requirement: "FRAME-1",
    parts: lying((turn, kind, sign) => {
      if (kind !== "accept") return null;
      const m = M.Accept.read(turn.envelope.payload).value;
      return { ...turn, envelope: sign(M.Accept.write({ ...m, terms_digest: flip(m.terms_digest) })) };
    }),
  },
  "one-answer-less": {
    what: "leaves the last answer of a turn out", requirement: "FRAME-1",
    parts: answersLie((m, blobs) => ({ answers: m.answers.slice(0, -1), blobs: blobs.slice(0, -1) })),
  },
  "changed-output": {
    what: "sends another output than it committed to", requirement: "FRAME-1",
    parts: answersLie((_m, blobs) => ({ blobs: blobs.map((b, i) => (i === 0 ? concat(b.subarray(0, 32), flip(b.subarray(32))) : b)) })),
  },
  "other-stream": {
    what: "signs the digest of other content", requirement: "WIRE-1",
    parts: answersLie((m, blobs) => ({ blobs, stream: flip(m.stream_digest) })),
  },
  "other-verdict": {
    what: "acknowledges another verdict than the record gives", requirement: "ACK-5",
    parts: acknowledgeLie((message, blob) => ({ message: { ...message, verdict_digest: flip(message.verdict_digest) }, blob })),
  },
  "other-results": {
    what: "commits to other result bits than the outputs give", requirement: "ACK-5",
    parts: acknowledgeLie((message, blob) => ({ message, blob: concat(blob.subarray(0, 32), flip(blob.subarray(32))) })),
  },
  "two-faced": {
    what: "says something else each time it is asked for a message again", requirement: "RES-3",
    parts: lying((turn, kind, sign) => {
      if (kind !== "hello-reply" || !said.has(turn)) return said.add(turn), null;
      const m = M.HelloReply.read(turn.envelope.payload).value;
      return { ...turn, envelope: sign(M.HelloReply.write({ ...m, nonce: random() })) };
    }),
  },
  "unsigned": { what: "takes messages whose signature does not hold", requirement: "SIG-1", parts: machine((o) => new Unsigned(o)) },
  "many-signatures": { what: "takes messages with more signatures than one", requirement: "CHAIN-1", parts: machine((o) => new ManySigned(o)) },
  "unknown-fields": { what: "takes fields that the schema lacks", requirement: "CHAIN-1", parts: machine((o) => new Tolerant(o)) },
  "any-size": { what: "does not look at sizes and counts", requirement: "CHAIN-1", parts: machine((o) => new Unbounded(o)) },
  "any-session": { what: "takes messages of another session", requirement: "CHAIN-1", parts: machine((o) => new AnySession(o)) },
  "any-number": { what: "takes messages with any later number", requirement: "CHAIN-1", parts: machine((o) => new AnyNumber(o)) },
  "any-predecessor": { what: "takes messages with any predecessor", requirement: "CHAIN-2", parts: machine((o) => new AnyPredecessor(o)) },
  "equivocation": { what: "takes a second message for a slot as the first again", requirement: "CHAIN-1", parts: machine((o) => new Forgetful(o)) },
  "any-coin": { what: "takes a coin that opens no commitment", requirement: "COIN-1", parts: lax(anyCoin) },
  "any-order": { what: "answers units in whatever order they are asked", requirement: "CHAL-1", parts: lax(anyOrder) },
  "any-prompt": { what: "answers prompts that open no commitment", requirement: "COMMIT-2", parts: blind("challenge", ["BAD_OPENING"]) },
  "any-stop": { what: "does not look when the test stopped", requirement: "OPEN-2", parts: blind("open", ["STOP_TOO_EARLY", "STOP_TOO_LATE"]) },
  "any-verdict": { what: "takes any verdict as the record's", requirement: "ACK-2", parts: lax(anyVerdict) },
  "any-stream": { what: "takes content of another digest than signed", requirement: "WIRE-4", parts: machine((o) => new AnyStream(o)) },
  "any-offset": { what: "takes chunks at any offset", requirement: "WIRE-2", parts: { incoming: () => new AnyOffset() } },
  "any-head": { what: "resumes a session whatever head it is shown", requirement: "RES-4", parts: { dialogue: (around) => new AnyHead(around) } },
  "forgiving": { what: "goes on with a session that a provable fault ended", requirement: "RES-8", parts: { store: (c, m) => new Forgiving(c, m) } },
  "amnesia": { what: "runs an exercise again that has ended", requirement: "ATT-3", parts: amnesia },
  "any-channel": { what: "takes a greeting that names other certificates", requirement: "HELLO-3", parts: machine((o) => new Machine({ ...o, tls: null })) },
  "untyped": { what: "refuses without a reason", requirement: "CHAIN-1", parts: { refused: UNTYPED } },
  "chatty": { what: "lets the words of its own failures across", requirement: "ERR-1", parts: { refused: CHATTY, speaker: chattySpeaker } },
  "one-key": {
    what: "uses one key for all of its outputs", requirement: "ANS-2", parts: { speaker: (config, engine) => new OneKey(config, engine) },
  },
  "one-coin": {
    what: "commits to the same coin in every exercise", requirement: "COIN-2", parts: { speaker: (config, engine) => new OneCoin(config, engine) },
  },
  "side-flood": { what: "keeps side records without end", requirement: "SIDE-1", parts: { dialogue: (around) => new AnySides(around) } },
};

if (process.argv[1]?.endsWith("mutants.js") === true) {
  const name = process.env["PARLEY_MUTANT"] ?? "";
  const mutant = MUTANTS[name];
  if (mutant === undefined) {
    console.error(`no mutant ${name}; there are ${Object.keys(MUTANTS).join(" ")}`);
    process.exitCode = 2;
  } else await serve(process.argv.slice(2), { ...HONEST, ...mutant.parts });
}
