// What the vectors of witnesses do not reach: contradictions, void and early claims, events without enough keys.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, hex } from "../bytes.js";
import { publicKey } from "../ed25519.js";
import { fromJson, signEnvelope, toJson } from "../envelope.js";
import { Session, type State } from "../session.js";
import { encodeStatement, sealStatement } from "../statement.js";
import { weigh, type Weighed } from "../witnesses.js";

const SECRETS = [1, 2, 3].map((n) => new Uint8Array(32).fill(n));
const [EXERCISE, ID, OTHER] = [4, 5, 6].map((n) => new Uint8Array(32).fill(n)) as [Bytes, Bytes, Bytes];
const HEADS = Array.from({ length: 7 }, (_, n) => new Uint8Array(32).fill(16 + n));
const KINDS = ["hello", "hello-reply", "propose", "accept", "coin", "coin", "challenge"] as const;

/** A session that waits for answers to its seventh message; the deadline for them is 100 seconds. */
function session(threshold: number, state: State = "challenged"): Session {
  const s = new Session();
  s.state = state;
  s.sessionId = ID;
  s.attempt = 1;
  KINDS.forEach((kind, n) => s.slots.push({ head: HEADS[n] as Bytes, pae: ID, author: n % 2 === 0 ? "verifier" : "prover", kind }));
  const witnesses = { keys: SECRETS.map(publicKey), threshold, unreachable: "pause" };
  s.terms = { exercise: EXERCISE, witnesses, deadlines: { answer: 100, turn: 50 } } as unknown as Session["terms"];
  return s;
}

interface Signed { readonly by: number; readonly event: string; readonly time: number; readonly number: number }
interface Place { readonly requester: string; readonly sequence: number; readonly head: Bytes; readonly session: Bytes }

function cosigned(signed: Signed, place: Partial<Place> = {}): Bytes {
  const sequence = place.sequence ?? 7;
  const head = place.head ?? HEADS[sequence - 1] ?? OTHER;
  const { by, event, time, number } = signed;
  const predicate = {
    exercise: hex(EXERCISE), attempt: 1, session: hex(place.session ?? ID), sequence, head: hex(head), event,
    requester: place.requester ?? "verifier", time, number, witness: `witness ${by}`,
  };
  return sealStatement(SECRETS[by] as Bytes, encodeStatement("cosignature", [{ name: "head", sha256: head }], predicate));
}

/** What one witness signs for a claim that it let ripen. */
function claim(by: number, from = 1000, seconds = 100): Bytes[] {
  return [cosigned({ by, event: "posted", time: from, number: 1 }), cosigned({ by, event: "default", time: from + seconds, number: 2 })];
}

function standing(sides: readonly Bytes[], threshold = 2): Pick<Weighed, "standing" | "fails"> {
  const { standing, fails } = weigh(session(threshold), sides);
  return { standing, fails };
}

const STANDS = { standing: "PROVER-DEFAULT", fails: "" } as const;
const NOTHING = { standing: "", fails: "" } as const;

test("a claim stands with as many witnesses as the threshold, each a deadline after it saw the message", () => {
  assert.deepEqual(standing([...claim(0), ...claim(1)]), STANDS);
  assert.deepEqual(standing(claim(0)), NOTHING);
  assert.deepEqual(standing([...claim(0), ...claim(1, 1000, 99)]), { standing: "", fails: "CLAIM_EARLY" });
});

test("what several witnesses signed is the word of the first and of no other", () => {
  const both = (sealed: readonly Bytes[]): Bytes[] => sealed.map((one) => {
    const envelope = fromJson(one);
    const also = signEnvelope(SECRETS[1] as Bytes, envelope.payloadType, envelope.payload);
    return toJson({ ...envelope, signatures: [...envelope.signatures, ...also.signatures] });
  });
  assert.deepEqual(standing(both(claim(0))), NOTHING);
  assert.deepEqual(standing([...both(claim(0)), ...claim(1)]), STANDS);
  const broken = both(claim(0)).map((one) => {
    const envelope = fromJson(one);
    return toJson({ ...envelope, signatures: envelope.signatures.map((s, i) => (i === 0 ? { ...s, value: new Uint8Array(64) } : s)) });
  });
  assert.deepEqual(standing([...broken, ...claim(2)]), NOTHING);
});

test("a claim by a witness that never saw the message is early", () => {
  const unseen = cosigned({ by: 1, event: "default", time: 2000, number: 1 });
  assert.deepEqual(standing([...claim(0), unseen]), { standing: "", fails: "CLAIM_EARLY" });
});

test("a party cannot claim its own silence", () => {
  const own = [0, 1].flatMap((by) => [
    cosigned({ by, event: "posted", time: 1000, number: 1 }), cosigned({ by, event: "default", time: 1100, number: 2 }, { requester: "prover" }),
  ]);
  assert.deepEqual(standing(own), NOTHING);
});

test("one other witness that was shown a later message of the accused in time voids the claim", () => {
  const later = (time: number, event = "posted"): Bytes => cosigned({ by: 2, event, time, number: 1 }, { requester: "prover", sequence: 8, head: OTHER });
  assert.deepEqual(standing([...claim(0), ...claim(1), later(1100)]), { standing: "", fails: "CLAIM_VOID" });
  assert.deepEqual(standing([...claim(0), ...claim(1), later(1101)]), STANDS);
  assert.deepEqual(standing([...claim(0), ...claim(1), later(1100, "relayed")]), STANDS);
});

test("nobody claims against a party in a final state", () => {
  const { standing: found } = weigh(session(2, "finished"), [...claim(0), ...claim(1)]);
  assert.equal(found, "");
});

test("an event is established by the threshold-th smallest time of different witnesses", () => {
  const accepted = (by: number, time: number): Bytes => cosigned({ by, event: "accepted", time, number: 1 }, { sequence: 4 });
  assert.equal(weigh(session(2), [accepted(0, 30), accepted(1, 10), accepted(2, 20)]).opening, 20);
  assert.equal(weigh(session(2), [accepted(0, 30), accepted(0, 30)]).opening, 0);
  assert.equal(weigh(session(2), [accepted(0, 30), cosigned({ by: 1, event: "posted", time: 10, number: 1 }, { sequence: 4 })]).opening, 0);
  assert.equal(weigh(session(2), [accepted(0, 30), cosigned({ by: 1, event: "accepted", time: 10, number: 1 }, { sequence: 4, head: OTHER })]).opening, 0);
});

test("of many side records the last 256 are weighed", () => {
  const others = (n: number): Bytes[] => Array<Bytes>(n).fill(OTHER);
  assert.deepEqual(standing([...others(300), ...claim(0), ...claim(1)]), STANDS);
  assert.deepEqual(standing([...claim(0), ...claim(1), ...others(252)]), STANDS);
  assert.deepEqual(standing([...claim(0), ...claim(1), ...others(253)]), { standing: "", fails: "CLAIM_EARLY" });
});

const first: Signed = { by: 0, event: "posted", time: 10, number: 1 };
const second: Signed = { by: 0, event: "posted", time: 20, number: 2 };
const receipt = (statement: Bytes, time: number, number: number): Bytes => sealStatement(
  SECRETS[0] as Bytes,
  encodeStatement("registration-receipt", [{ name: "statement", sha256: statement }], { statement: hex(statement), time, number, witness: "witness 0" }),
);

const CONTRADICTIONS: Readonly<Record<string, readonly [Bytes, Bytes]>> = {
  "two heads on request of one party": [cosigned(first), cosigned(second, { head: OTHER })],
  "two ends on request of both": [cosigned({ ...first, event: "end" }), cosigned({ ...second, event: "end" }, { head: OTHER, requester: "prover" })],
  "two sessions": [cosigned(first), cosigned({ ...second }, { session: OTHER, sequence: 6 })],
  "one number twice": [cosigned(first), cosigned({ ...second, number: 1 }, { sequence: 6 })],
  "numbers against the times": [cosigned({ ...first, time: 30 }), cosigned(second, { sequence: 6 })],
  "one event twice": [cosigned(first), cosigned(second)],
  "one acceptance for each party": [cosigned({ ...first, event: "accepted" }), cosigned({ ...second, event: "accepted" }, { requester: "prover" })],
  "one digest at two times": [receipt(OTHER, 10, 1), receipt(OTHER, 20, 2)],
  "a claim that was void": [cosigned(first, { requester: "prover", sequence: 8, head: OTHER }), cosigned({ ...second, event: "default" })],
};

const HARMONIES: Readonly<Record<string, readonly [Bytes, Bytes]>> = {
  "two heads on request of different parties": [cosigned(first), cosigned(second, { head: OTHER, requester: "prover" })],
  "two heads, one relayed": [cosigned(first), cosigned({ ...second, event: "relayed" }, { head: OTHER })],
  "one event for each party": [cosigned(first), cosigned(second, { requester: "prover" })],
  "one digest at one time": [receipt(OTHER, 10, 1), receipt(OTHER, 10, 2)],
  "a claim before what would void it": [cosigned({ ...first, event: "default" }), cosigned(second, { requester: "prover", sequence: 8, head: OTHER })],
};

test("a witness that signed two statements of which an honest one signs one counts for nothing", () => {
  for (const [name, sides] of Object.entries(CONTRADICTIONS)) assert.equal(weigh(session(1), sides).discarded.length, 1, name);
  for (const [name, sides] of Object.entries(HARMONIES)) assert.equal(weigh(session(1), sides).discarded.length, 0, name);
});
