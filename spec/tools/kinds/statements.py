"""Vectors of what is read strictly: canonical JSON, sealed statements, key histories."""

import base64
from collections.abc import Iterator

from parley_attestation import canonical, envelope, keys, statement
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Role

from kinds.basics import Test, secret

TEXTS: tuple[tuple[str, str, bytes], ...] = (
    ("an object in order", "JSON-1", b'{"a":1,"b":[true,false,null,"x"]}'),
    ("keys by UTF-16 code units", "JSON-1", '{"\u20ac":1,"\U0001f600":2,"\ufb33":3}'.encode()),
    (
        "keys by code points, which is another order",
        "JSON-1",
        '{"\u20ac":1,"\ufb33":3,"\U0001f600":2}'.encode(),
    ),
    ("keys out of order", "JSON-1", b'{"b":1,"a":2}'),
    ("a space", "JSON-1", b'{"a": 1}'),
    ("a line feed at the end", "JSON-1", b"{}\n"),
    ("an escape that is not needed", "JSON-1", b'"\\u0061"'),
    ("an escape in capitals", "JSON-1", b'"\\u001F"'),
    ("a control character in its short escape", "JSON-1", b'"\\n\\t\\b"'),
    ("a solidus escaped", "JSON-1", b'"\\/"'),
    ("a byte order mark", "JSON-1", b"\xef\xbb\xbf{}"),
    ("bytes that are no UTF-8", "JSON-1", b'"\xff"'),
    ("half of a surrogate pair", "JSON-1", b'"\\ud800"'),
    ("a key twice", "JSON-2", b'{"a":1,"a":1}'),
    ("the largest integer", "JSON-2", b"9007199254740991"),
    ("an integer of 2^53", "JSON-2", b"9007199254740992"),
    ("the least integer", "JSON-2", b"-9007199254740991"),
    ("minus zero", "JSON-1", b"-0"),
    ("a fraction", "JSON-2", b"1.5"),
    ("an exponent", "JSON-2", b"1e3"),
    ("no number", "JSON-2", b"NaN"),
    ("lists 32 deep", "JSON-2", b"[" * 32 + b"]" * 32),
    ("a list in 32 lists", "JSON-2", b"[" * 33 + b"]" * 33),
    ("a number in 33 lists", "JSON-2", b"[" * 33 + b"1" + b"]" * 33),
    ("lists 34 deep", "JSON-2", b"[" * 34 + b"]" * 34),
    ("two values", "JSON-1", b"{}{}"),
    ("nothing", "JSON-1", b""),
)


def _result(check: object) -> Test:
    """What a reader says of a vector."""
    try:
        check()  # type: ignore[operator]
    except PeerError as error:
        return {"result": "invalid", "reason": error.reason.value}
    return {"result": "valid"}


def canonical_json() -> Iterator[Test]:
    """JSON texts, in hexadecimal, that are or are not canonical."""
    for comment, requirement, raw in TEXTS:
        yield {
            "comment": comment,
            "requirement": requirement,
            "text": raw.hex(),
            **_result(lambda raw=raw: canonical.load(raw)),
        }


def _statement(**changes: object) -> bytes:
    """The payload of a small statement, some fields replaced."""
    fields = {
        "_type": statement.STATEMENT_TYPE,
        "subject": [{"name": "thing", "digest": {"sha256": secret("thing").hex()}}],
        "predicateType": "tag:example.org,2026:thing/v1",
        "predicate": {"value": 1},
    }
    return canonical.dump({name: value for name, value in (fields | changes).items() if value is not None})


def _sealed(payload: bytes, *signers: SigningKey, kind: str = statement.PAYLOAD_TYPE) -> bytes:
    message = envelope.pae(kind, payload)
    signatures = tuple(envelope.Signature(key.public, key.sign(message)) for key in signers)
    return envelope.to_json(envelope.Envelope(kind, payload, signatures))


Case = tuple[str, str, bytes, tuple[bytes, ...]]  # what it is, requirement, sealed statement, keys


def _envelopes() -> tuple[Case, ...]:
    """What is right and wrong about envelopes."""
    first, second = SigningKey(secret("first")), SigningKey(secret("second"))
    good = _sealed(_statement(), first, second)
    other = envelope.from_json(_sealed(_statement(predicate={"value": 2}), first))
    moved = envelope.to_json(envelope.Envelope(statement.PAYLOAD_TYPE, _statement(), other.signatures))
    one = (first.public,)
    return (
        ("both signed", "STMT-2", good, (first.public, second.public)),
        ("one of two is asked for", "STMT-2", good, (second.public,)),
        ("a key that did not sign", "STMT-2", good, (first.public, SigningKey(secret("third")).public)),
        ("a signature over other bytes", "ENV-2", moved, one),
        ("another payload type", "STMT-3", _sealed(_statement(), first, kind="application/json"), one),
        ("a space in the envelope", "JSON-1", good.replace(b'"payload"', b' "payload"', 1), one),
        (
            "a field too many in the envelope",
            "JSON-3",
            good.replace(b'{"payload"', b'{"note":1,"payload"', 1),
            one,
        ),
        ("no signature", "ENV-4", good[: good.index(b'"signatures"')] + b'"signatures":[]}', one),
        (
            "base64 without padding",
            "STMT-3",
            _unpadded(_sealed(_statement(predicate={"value": 10}), first)),
            one,
        ),
    )


def _payloads() -> tuple[Case, ...]:
    """What is wrong about the statements in them."""
    first = SigningKey(secret("first"))
    one = (first.public,)
    return (
        ("a payload that is no canonical JSON", "JSON-1", _sealed(_statement() + b" ", first), one),
        (
            "another type of statement",
            "STMT-3",
            _sealed(_statement(_type="https://in-toto.io/Statement/v0.1"), first),
            one,
        ),
        ("no subject", "STMT-3", _sealed(_statement(subject=[]), first), one),
        ("no predicate", "STMT-3", _sealed(_statement(predicate=None), first), one),
        ("a field too many", "STMT-3", _sealed(_statement(note=1), first), one),
        (
            "a digest of another kind",
            "STMT-3",
            _sealed(_statement(subject=[{"name": "x", "digest": {"sha512": "00" * 64}}]), first),
            one,
        ),
    )


def sealed_statements() -> Iterator[Test]:
    """Envelopes in JSON, and the keys that must have signed them."""
    for comment, requirement, sealed, signers in (*_envelopes(), *_payloads()):
        found = _result(lambda s=sealed, k=signers: statement.open_sealed(s, *k))
        digest = statement.open_sealed(sealed, *signers).digest().hex() if found["result"] == "valid" else ""
        yield {
            "comment": comment,
            "requirement": requirement,
            "sealed": sealed.decode(),
            "keys": [key.hex() for key in signers],
            "digest": digest,
            **found,
        }


def _unpadded(sealed: bytes) -> bytes:
    """The envelope with its payload's padding left out, or with stray bits where it has none."""
    document = canonical.load(sealed)
    payload = document["payload"]
    document["payload"] = payload.rstrip("=") if payload.endswith("=") else payload + "===="
    assert base64.b64decode(payload)
    return canonical.dump(document)


def key_histories() -> Iterator[Test]:
    """Histories, and whether they certify a key for a role at a time; -1 stands for no witnessed time."""
    root, session, other = (SigningKey(secret(name)) for name in ("root", "session", "other root"))
    certificate = keys.Certificate(root.public, session.public, Role.PROVER, 1000, 2000).sealed(root)
    foreign = keys.Certificate(other.public, session.public, Role.PROVER, 1000, 2000).sealed(other)
    lying = keys.Certificate(other.public, session.public, Role.PROVER, 1000, 2000).sealed(root)
    revoked = keys.Revocation(root.public, session.public, 1500).sealed(root)
    thing = _sealed(_statement(predicate={"root": root.public.hex()}), root)
    for comment, requirement, entries, role, at in (
        ("certified, no time known", "KEY-2", [certificate], Role.PROVER, -1),
        ("certified for another role", "KEY-2", [certificate], Role.VERIFIER, -1),
        ("the first second", "KEY-3", [certificate], Role.PROVER, 1000),
        ("the last second", "KEY-3", [certificate], Role.PROVER, 2000),
        ("too early", "KEY-3", [certificate], Role.PROVER, 999),
        ("too late", "KEY-3", [certificate], Role.PROVER, 2001),
        ("before the revocation", "KEY-3", [certificate, revoked], Role.PROVER, 1499),
        ("from the revocation on", "KEY-3", [certificate, revoked], Role.PROVER, 1500),
        ("revoked, no time known", "KEY-3", [certificate, revoked], Role.PROVER, -1),
        ("an entry that another key signed", "KEY-1", [certificate, foreign], Role.PROVER, -1),
        ("an entry that names another root", "KEY-1", [certificate, lying], Role.PROVER, -1),
        ("an entry of another type", "KEY-1", [certificate, thing], Role.PROVER, -1),
    ):

        def check(entries: list[bytes] = entries, role: Role = role, at: int = at) -> None:
            keys.read_history(entries).certified(session.public, role, None if at < 0 else at)

        yield {
            "comment": comment,
            "requirement": requirement,
            "entries": [one.decode() for one in entries],
            "key": session.public.hex(),
            "role": role.value,
            "at": at,
            "root": Digest(keys.fingerprint(root.public)).hex(),
            **_result(check),
        }
