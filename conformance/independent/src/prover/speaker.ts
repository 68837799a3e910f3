// What an honest prover says: every message of its own, made from the session as it stands.
import { randomBytes } from "node:crypto";
import { type Bytes, concat, equal } from "../bytes.js";
import { blobDigest, coinCommitment, outputCommitment, resultRoot, streamDigest } from "../commitments.js";
import { type Envelope, signEnvelope } from "../envelope.js";
import type { Reason } from "../errors.js";
import * as M from "../messages.js";
import { readScript } from "../scripts.js";
import { type Challenged, known, type Session } from "../session.js";
import { verdictOf } from "../show.js";
import { measuredClaims } from "../claims.js";
import type { Terms } from "../terms.js";
import type { Config } from "./config.js";
import { answerScript, type Engine, within } from "./engine.js";
import type { CoinPair, StoredTurn } from "./journal.js";

export function random(): Bytes {
  return new Uint8Array(randomBytes(32));
}

export interface Said { readonly turn: StoredTurn; readonly coin: CoinPair | null }

export interface Budget { readonly answers: number; readonly outputBytes: number }

export class Speaker {
  constructor(protected readonly config: Config, protected readonly engine: Engine) {}

  protected header(s: Session): M.Header {
    return { session_id: s.sessionId, sequence: BigInt(s.length + 1), previous: s.head };
  }

  protected seal(kind: M.Kind, payload: Bytes): Envelope {
    return signEnvelope(this.config.identity.session, M.payloadType(kind), payload);
  }

  protected say(kind: M.Kind, payload: Bytes, blobs: readonly Bytes[] = [], coin: CoinPair | null = null): Said {
    return { turn: { envelope: this.seal(kind, payload), blobs }, coin };
  }

  /** The prover's next message; `coin` is the pair of an earlier attempt, or of this one. */
  next(s: Session, coin: CoinPair | null, drawn: Budget): Said {
    switch (s.state) {
      case "greeted": return this.helloReply(s);
      case "proposed": return this.reply(s, coin, drawn);
      case "coin-shown": return this.coin(s, known(coin));
      case "challenged": return this.answers(s);
      case "confirmed": return this.acknowledge(s);
      default: throw new Error("not the prover's turn");
    }
  }

  protected helloReply(s: Session): Said {
    const greeting = known(s.verifier);
    const payload = M.HelloReply.write({
      header: this.header(s), version: 1, suite: 1, mode: "open", key_history: this.config.identity.history,
      nonce: random(), verifier_tls: greeting.verifierTls, prover_tls: greeting.proverTls,
    });
    return this.say("hello-reply", payload);
  }

  /** Why the prover does not take these terms, or null. */
  protected objection(s: Session, terms: Terms, drawn: Budget): { reason: Reason; detail: string } | null {
    const no = (reason: Reason, detail: string): { reason: Reason; detail: string } => ({ reason, detail });
    if (!this.config.models.some((m) => equal(m.digest, terms.modelClaim))) return no("BAD_MODEL_CLAIM", "no such model is served here");
    if (terms.policy || terms.inventory) return no("UNSUPPORTED", "no evidence is given here");
    if (terms.audited !== null) return no("UNSUPPORTED", "no receipt is audited here");
    if (terms.witnesses.keys.length > 0) return no("UNSUPPORTED", "no witness is asked here");
    if (terms.binding.kind !== "none") return no("UNSUPPORTED", "no chamber gets these weights");
    if (terms.caps.turn > this.config.maxTurnBytes) return no("OVER_CAP", "a turn above what is accepted here");
    const size = s.populations.reduce((sum, p) => sum + p.size, 0n);
    if (size > BigInt(this.config.maxPopulation)) return no("TOO_LARGE", "a population above what is accepted here");
    const units = terms.budgets.reduce((sum, b) => sum + b.units, 0);
    const { answers, outputBytes } = this.config.disclosure;
    if (drawn.answers + units > answers) return no("BUDGET_EXHAUSTED", "the disclosure budget has too few answers left");
    if (drawn.outputBytes + units * terms.caps.output > outputBytes) return no("BUDGET_EXHAUSTED", "the disclosure budget has too few bytes left");
    return null;
  }

  protected reply(s: Session, coin: CoinPair | null, drawn: Budget): Said {
    const terms = known(s.terms);
    const objection = this.objection(s, terms, drawn);
    if (objection !== null) return this.say("decline", M.Ending.write({ header: this.header(s), ...objection }));
    return this.accept(s, terms, coin ?? { coin: random(), key: random() });
  }

  protected accept(s: Session, terms: Terms, pair: CoinPair): Said {
    const model = known(this.config.models.find((m) => equal(m.digest, terms.modelClaim)));
    const payload = M.Accept.write({
      header: this.header(s), terms_digest: terms.digest, declared_counts: measuredClaims(terms).map(() => 0n),
      coin_commitment: coinCommitment(pair.key, terms.exercise, "prover", pair.coin), model_claim: model.sealed, evidence: [],
    });
    return this.say("accept", payload, [], pair);
  }

  protected coin(s: Session, pair: CoinPair): Said {
    return this.say("coin", M.Coin.write({ header: this.header(s), coin: pair.coin, key: pair.key }));
  }

  protected output(s: Session, unit: Challenged): Bytes {
    const prompt = known(unit.prompt);
    const script = known(s.testSet).kind === "script";
    const output = script ? answerScript(this.engine, prompt) : this.engine.answer(prompt);
    return within(output, known(s.terms).caps.output, script ? readScript(prompt) : null);
  }

  protected outputKey(): Bytes {
    return random();
  }

  protected answers(s: Session): Said {
    const { exercise } = known(s.terms);
    const made = s.challenged.slice(s.pendingFrom).map((unit) => {
      const output = this.output(s, unit);
      const key = this.outputKey();
      return { blob: concat(key, output), size: BigInt(output.length), output_commitment: outputCommitment(key, exercise, unit.item, unit.sample, output) };
    });
    return this.sayAnswers(s, made);
  }

  protected sayAnswers(s: Session, made: readonly { blob: Bytes; size: bigint; output_commitment: Bytes }[]): Said {
    const blobs = made.map((m) => m.blob);
    const payload = M.Answers.write({ header: this.header(s), answers: made, stream_digest: streamDigest(blobs.map(blobDigest)) });
    return this.say("answers", payload, blobs);
  }

  protected acknowledge(s: Session): Said {
    return this.sayAcknowledge(s, known(verdictOf(s)).digest, known(s.results).bits);
  }

  protected sayAcknowledge(s: Session, digest: Bytes, bits: readonly Bytes[]): Said {
    const seed = random();
    const blob = concat(seed, ...bits);
    const payload = M.Acknowledge.write({
      header: this.header(s), verdict_digest: digest, result_root: resultRoot(seed, known(s.terms).exercise, bits),
      stream_digest: streamDigest([blobDigest(blob)]),
    });
    return this.say("acknowledge", payload, [blob]);
  }
}
