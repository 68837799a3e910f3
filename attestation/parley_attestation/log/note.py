"""Room: log. C2SP signed notes: text with signature lines; checkpoints and receipts are built on it.

Source: c2sp.org/signed-note v1.0.0. A note's text counts for nothing before a known key has signed it.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from parley_attestation.ed25519 import PublicKey, SigningKey, verify
from parley_attestation.errors import PeerError, Reason

MAX_NOTE = 128 << 10  # bytes; room for 16 post-quantum signatures
MAX_SIGNATURES = 64
MAX_NAME = 255  # bytes of a key name
ED25519 = 0x01
_DASH = "\u2014 "


def key_id(name: str, algorithm: int, public: bytes) -> bytes:
    """The four bytes that name a key beside its name; c2sp.org/signed-note "Signatures"."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([algorithm]) + public).digest()[:4]


def check_name(name: str) -> str:
    """Return a well-formed key name. Raises `PeerError` (BAD_KEY)."""
    bad = not name or len(name.encode()) > MAX_NAME or "+" in name
    if bad or any(c.isspace() or not c.isprintable() for c in name):
        raise PeerError(Reason.BAD_KEY, f"expected a key name of 1..{MAX_NAME} bytes without spaces or plus")
    return name


class NoteKey(Protocol):
    """A public key that may stand under a note."""

    @property
    def name(self) -> str:
        """The key's name, as on its signature lines."""
        ...

    @property
    def id(self) -> bytes:
        """The key's four bytes."""
        ...

    def check(self, text: bytes, signature: bytes) -> None:
        """Raise `PeerError` (BAD_SIGNATURE) unless the bytes are this key's signature of the text."""
        ...


@dataclass(frozen=True, slots=True)
class Ed25519Key:
    """A key that signs note texts as they are, signature type 0x01."""

    name: str
    public: PublicKey

    @property
    def id(self) -> bytes:
        """The key's four bytes."""
        return key_id(self.name, ED25519, self.public)

    def check(self, text: bytes, signature: bytes) -> None:
        """Check one signature. Raises `PeerError` (BAD_SIGNATURE)."""
        verify(self.public, text, signature)


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: key name, key id, and what follows."""

    name: str
    id: bytes
    value: bytes

    def line(self) -> str:
        """The line, with its newline."""
        return f"{_DASH}{self.name} {base64.b64encode(self.id + self.value).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A note as received; `text` ends in a newline. Nothing in it is trusted yet."""

    text: bytes
    signatures: tuple[NoteSignature, ...]

    def dump(self) -> bytes:
        """The note's bytes."""
        return self.text + b"\n" + "".join(s.line() for s in self.signatures).encode()

    def add(self, *signatures: NoteSignature) -> "Note":
        """The same text with further signatures; a line that is there already is not added twice."""
        return Note(self.text, tuple(dict.fromkeys((*self.signatures, *signatures))))

    def signed_by(self, *keys: NoteKey) -> tuple[tuple[NoteKey, bytes], ...]:
        """The first signature of every one of `keys` that signed, verified.

        Signatures of other keys are ignored; a bad one of a known key refuses the note.

        Raises:
            PeerError: BAD_SIGNATURE, where a signature of a known key does not hold or none is there.
        """
        found: list[tuple[NoteKey, bytes]] = []
        for key in keys:
            mine = [s for s in self.signatures if (s.name, s.id) == (key.name, key.id)]
            for one in mine:
                key.check(self.text, one.value)
            if mine:
                found.append((key, mine[0].value))
        if not found:
            raise PeerError(Reason.BAD_SIGNATURE, "no known key signed the note")
        return tuple(found)


def parse(raw: bytes) -> Note:
    """Parse a note; checks no signature.

    Raises:
        PeerError: TOO_LARGE, MALFORMED.
    """
    if len(raw) > MAX_NOTE:
        raise PeerError(Reason.TOO_LARGE, f"expected a note of at most {MAX_NOTE} bytes, got {len(raw)}")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise PeerError(Reason.MALFORMED, "expected a note in UTF-8") from error
    if any(c < " " and c != "\n" for c in text):
        raise PeerError(Reason.MALFORMED, "expected no control characters in a note")
    split = text.rfind("\n\n")
    if split < 0 or not text.endswith("\n"):
        raise PeerError(Reason.MALFORMED, "expected a text, an empty line and signature lines")
    return Note(text[: split + 1].encode(), parse_lines(text[split + 2 :]))


def parse_lines(block: str) -> tuple[NoteSignature, ...]:
    """Parse signature lines, each with its newline. Raises `PeerError` (MALFORMED)."""
    lines = block.removesuffix("\n").split("\n")
    if not block.endswith("\n") or len(lines) > MAX_SIGNATURES:
        raise PeerError(Reason.MALFORMED, f"expected 1..{MAX_SIGNATURES} signature lines")
    return tuple(_line(line) for line in lines)


def _line(line: str) -> NoteSignature:
    parts = line.removeprefix(_DASH).split(" ")
    if not line.startswith(_DASH) or len(parts) != 2:
        raise PeerError(Reason.MALFORMED, "expected an em dash, a key name and a signature in base64")
    try:
        check_name(parts[0])
    except PeerError as error:
        raise PeerError(Reason.MALFORMED, error.message) from error
    value = unbase64(parts[1])
    if len(value) < 5:
        raise PeerError(Reason.MALFORMED, "expected a signature after the key id")
    return NoteSignature(parts[0], value[:4], value[4:])


def unbase64(text: str) -> bytes:
    """Decode standard base64 in its one canonical spelling. Raises `PeerError` (MALFORMED)."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PeerError(Reason.MALFORMED, "expected standard base64") from error
    if base64.b64encode(raw).decode() != text:
        raise PeerError(Reason.MALFORMED, "expected the one canonical base64 spelling")
    return raw


def sign(text: bytes, key: SigningKey, name: str) -> NoteSignature:
    """Sign a note text with an Ed25519 key of the given name."""
    check_name(name)
    return NoteSignature(name, key_id(name, ED25519, key.public), key.sign(text))


def vkey(name: str, algorithm: int, public: bytes) -> str:
    """The verifier key as text, as C2SP tools read it: name+id+base64(type || key)."""
    body = base64.b64encode(bytes([algorithm]) + public).decode()
    return f"{check_name(name)}+{key_id(name, algorithm, public).hex()}+{body}"


def parse_vkey(text: str) -> tuple[str, int, bytes]:
    """Name, signature type and public key of a verifier key.

    Raises:
        PeerError: BAD_KEY.
    """
    parts = text.split("+", 2)
    if len(text) > 4096 or len(parts) != 3:
        raise PeerError(Reason.BAD_KEY, "expected a verifier key: name+id+base64")
    try:
        body = unbase64(parts[2])
    except PeerError as error:
        raise PeerError(Reason.BAD_KEY, "expected a verifier key in standard base64") from error
    name = check_name(parts[0])
    if len(body) < 2 or key_id(name, body[0], body[1:]).hex() != parts[1]:
        raise PeerError(Reason.BAD_KEY, "the id of a verifier key is not that of its name and key")
    return name, body[0], body[1:]


def ed25519_key(text: str) -> Ed25519Key:
    """Read a verifier key of type Ed25519. Raises `PeerError` (BAD_KEY)."""
    name, algorithm, public = parse_vkey(text)
    if algorithm != ED25519 or len(public) != 32:
        raise PeerError(Reason.BAD_KEY, "expected an Ed25519 verifier key")
    return Ed25519Key(name, PublicKey(public))


def check_distinct(keys: Sequence[NoteKey]) -> None:
    """Refuse a key that stands twice in one policy. Raises `PeerError` (BAD_KEY)."""
    if len({(k.name, k.id) for k in keys}) != len(keys):
        raise PeerError(Reason.BAD_KEY, "expected every key once")
