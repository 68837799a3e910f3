// Hello and HelloReply: what is offered and chosen, who speaks, and over which channel.
import { type Bytes, equal } from "./bytes.js";
import { demand, type Party } from "./errors.js";
import { certifies, readHistory } from "./keys.js";
import type { Hello, HelloReply } from "./messages.js";
import { type Greeting, known, type Session } from "./session.js";
import { counted, type Options, silent, sized, type Turn } from "./turns.js";

export function boundsHello(m: Hello): void {
  counted(m.versions.length, 1, 32);
  counted(m.suites.length, 1, 32);
  counted(m.modes.length, 1, 32);
  for (const mode of m.modes) boundsMode(mode);
  boundsGreeting(m);
}

function boundsMode(mode: string): void {
  demand(/^[ -~]{1,32}$/.test(mode), "MALFORMED", "a mode of another form");
}

export function boundsReply(m: HelloReply): void {
  boundsMode(m.mode);
  boundsGreeting(m);
}

export function boundsGreeting(m: Hello | HelloReply): void {
  counted(m.key_history.length, 1, 64);
  for (const entry of m.key_history) counted(entry.length, 1, 1048576);
  sized(m.nonce);
  sized(m.verifier_tls);
  sized(m.prover_tls);
}

function greeting(s: Session, options: Options, role: Party, key: Bytes, m: Hello | HelloReply): Greeting {
  const history = readHistory(m.key_history);
  demand(certifies(history, key, role), "KEY_NOT_CERTIFIED", "a session key that its root does not certify");
  demand(options.pinned(role, history.fingerprint), "UNKNOWN_PARTY", "a root that is not pinned");
  const { verifier_tls: verifierTls, prover_tls: proverTls } = m;
  const matches = (own: { verifier: Bytes; prover: Bytes }): boolean =>
    equal(own.verifier, verifierTls) && equal(own.prover, proverTls);
  demand(options.tls === null || matches(options.tls), "CHANNEL_MISMATCH", "other certificates than the transport's");
  if (role === "prover") {
    const first = known(s.verifier);
    demand(matches({ verifier: first.verifierTls, prover: first.proverTls }), "CHANNEL_MISMATCH", "other certificates than the Hello's");
  }
  return { key, history, nonce: m.nonce, verifierTls, proverTls };
}

export function hello(s: Session, options: Options, key: Bytes, m: Hello): Turn {
  const offered = m.versions.includes(1) && m.suites.includes(1) && options.modes.some((mode) => m.modes.includes(mode));
  demand(offered, "UNSUPPORTED_VERSION", "no offer of version 1, suite 1 and a mode of here together");
  const found = greeting(s, options, "verifier", key, m);
  return silent(() => {
    s.verifier = found;
    s.offer = { versions: m.versions, suites: m.suites, modes: m.modes };
  });
}

export function helloReply(s: Session, options: Options, key: Bytes, m: HelloReply): Turn {
  const verifier = known(s.verifier);
  const offer = known(s.offer);
  const chosen = offer.versions.includes(m.version) && offer.suites.includes(m.suite) && offer.modes.includes(m.mode);
  demand(chosen && m.version === 1 && m.suite === 1 && options.modes.includes(m.mode), "UNSUPPORTED_VERSION", "a choice that was not offered");
  demand(!equal(m.nonce, verifier.nonce), "MALFORMED", "the verifier's nonce");
  const found = greeting(s, options, "prover", key, m);
  return silent(() => {
    s.prover = found;
    s.mode = m.mode;
  });
}
