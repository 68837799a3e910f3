"""Room: log. C2SP cosignatures: what a log witness adds to a checkpoint, with a time.

Source: c2sp.org/tlog-cosignature: Ed25519 (0x04, v1.0.1) and ML-DSA-44 (0x06, v1.1.0). Other witnesses
cosign our logs and ours theirs; a cosignature says the log only ever grew, up to this size, by then.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import mldsa

from parley_attestation.ed25519 import PublicKey, SigningKey, verify
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.log import note
from parley_attestation.log.checkpoint import Checkpoint, parse_text
from parley_attestation.log.note import Note, NoteKey, NoteSignature, key_id

ED25519_COSIGNATURE = 0x04
MLDSA44_COSIGNATURE = 0x06
_MAX_TIME = (1 << 63) - 1


def _message(text: bytes, time: int) -> bytes:
    return b"cosignature/v1\ntime %d\n" % time + text


def _time(signature: bytes, size: int) -> int:
    if len(signature) != 8 + size:
        raise PeerError(Reason.BAD_SIGNATURE, f"expected a time and a signature of {size} bytes")
    time = int.from_bytes(signature[:8], "big")
    if time > _MAX_TIME:
        raise PeerError(Reason.BAD_SIGNATURE, "expected a time below 2^63")
    return time


@dataclass(frozen=True, slots=True)
class Ed25519Cosigner:
    """A witness's Ed25519 key, signature type 0x04."""

    name: str
    public: PublicKey

    @property
    def id(self) -> bytes:
        """The key's four bytes."""
        return key_id(self.name, ED25519_COSIGNATURE, self.public)

    def check(self, text: bytes, signature: bytes) -> None:
        """Check one cosignature of a checkpoint's text. Raises `PeerError` (BAD_SIGNATURE)."""
        verify(self.public, _message(text, _time(signature, 64)), signature[8:])


@dataclass(frozen=True, slots=True)
class MlDsaCosigner:
    """A witness's ML-DSA-44 key (FIPS 204), signature type 0x06; it covers no extension lines."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The key's four bytes."""
        return key_id(self.name, MLDSA44_COSIGNATURE, self.public)

    def check(self, text: bytes, signature: bytes) -> None:
        """Check one cosignature of a checkpoint's text.

        Raises:
            PeerError: BAD_SIGNATURE; UNSUPPORTED, where the installed OpenSSL has no ML-DSA.
        """
        message = mldsa_message(self.name, parse_text(text), _time(signature, 2420))
        try:
            mldsa.MLDSA44PublicKey.from_public_bytes(self.public).verify(signature[8:], message)
        except (InvalidSignature, ValueError) as error:
            raise PeerError(Reason.BAD_SIGNATURE, "the ML-DSA-44 cosignature does not verify") from error
        except UnsupportedAlgorithm as error:
            raise PeerError(Reason.UNSUPPORTED, "this installation cannot verify ML-DSA-44") from error


def mldsa_message(name: str, checkpoint: Checkpoint, time: int) -> bytes:
    """The bytes that an ML-DSA-44 cosignature covers; c2sp.org/tlog-cosignature "cosigned_message"."""
    cosigner, origin = name.encode(), checkpoint.origin.encode()
    if not 1 <= len(cosigner) <= 255 or not 1 <= len(origin) <= 255:
        raise PeerError(Reason.BAD_SIGNATURE, "expected names of 1..255 bytes")
    return b"".join(
        (
            b"subtree/v1\n\0",
            bytes([len(cosigner)]),
            cosigner,
            struct.pack(">Q", time),
            bytes([len(origin)]),
            origin,
            struct.pack(">QQ", 0, checkpoint.size),
            checkpoint.root,
        )
    )


def cosign(text: bytes, key: SigningKey, name: str, time: int) -> NoteSignature:
    """Cosign a checkpoint's text at `time` (Unix seconds). The caller has checked that the log grew."""
    value = struct.pack(">Q", time) + key.sign(_message(text, time))
    return NoteSignature(name, key_id(name, ED25519_COSIGNATURE, key.public), value)


def cosigner(vkey: str) -> Ed25519Cosigner | MlDsaCosigner:
    """Read a witness's verifier key. Raises `PeerError` (BAD_KEY)."""
    name, algorithm, public = note.parse_vkey(vkey)
    if algorithm == ED25519_COSIGNATURE and len(public) == 32:
        return Ed25519Cosigner(name, PublicKey(public))
    if algorithm == MLDSA44_COSIGNATURE and len(public) == 1312:
        return MlDsaCosigner(name, public)
    raise PeerError(Reason.BAD_KEY, "expected the verifier key of a cosigner")


@dataclass(frozen=True, slots=True)
class Cosigned:
    """Which of the named witnesses cosigned a checkpoint.

    Attributes:
        names: Those that did.
        of: How many were named.
        time: Unix seconds by which `threshold` of them had, or None for a threshold of 0.
    """

    names: tuple[str, ...]
    of: int
    time: int | None

    def __str__(self) -> str:
        return f"witnessed by {len(self.names)} of {self.of}" if self.names else "unwitnessed"


def cosigned(signed: Note, witnesses: Sequence[NoteKey], threshold: int) -> Cosigned:
    """Check that at least `threshold` of the named witnesses cosigned a checkpoint.

    The time is the threshold-th smallest: fewer liars than that cannot make it earlier than the first
    honest witness's.

    Raises:
        PeerError: BAD_COSIGNATURE where too few did; BAD_SIGNATURE where one of a known key is bad.
    """
    note.check_distinct(witnesses)
    if not 0 <= threshold <= len(witnesses):
        raise PeerError(Reason.BAD_COSIGNATURE, f"expected a threshold in 0..{len(witnesses)}")
    known = {(w.name, w.id) for w in witnesses}
    present = any((s.name, s.id) in known for s in signed.signatures)
    found = signed.signed_by(*witnesses) if present else ()
    if len(found) < threshold:
        raise PeerError(
            Reason.BAD_COSIGNATURE, f"expected {threshold} of {len(witnesses)} witnesses, got {len(found)}"
        )
    times = sorted(int.from_bytes(value[:8], "big") for _, value in found)
    return Cosigned(
        tuple(key.name for key, _ in found), len(witnesses), times[threshold - 1] if threshold else None
    )


def check_cosigner(first: bytes, second: bytes, witness: NoteKey) -> None:
    """Check that one witness can have cosigned both checkpoints and be honest.

    A witness whose store was put back to a backup, or that helps to split a view, cosigns two roots
    for one size, or a smaller size at a later time.

    Raises:
        PeerError: EQUIVOCATION, blaming the witness, with both notes as evidence.
    """
    (one, at_one), (two, at_two) = (_seen(raw, witness) for raw in (first, second))
    if one.origin != two.origin:
        return
    if one.size == two.size and one.root != two.root:
        why = f"cosigned two roots for the size {one.size}"
    elif at_one != at_two and one.size != two.size and (at_one < at_two) != (one.size < two.size):
        why = "cosigned a smaller log later"
    else:
        return
    error = PeerError(Reason.EQUIVOCATION, f"the witness {witness.name} {why}")
    raise error.blame(Role.WITNESS, first, second)


def _seen(raw: bytes, witness: NoteKey) -> tuple[Checkpoint, int]:
    signed = note.parse(raw)
    ((_, value),) = signed.signed_by(witness)
    return parse_text(signed.text), int.from_bytes(value[:8], "big")
