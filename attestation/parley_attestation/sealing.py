r"""Room: the core. Sealed content for a chamber: chunked AES-256-GCM under a data key that HPKE wraps.

Content is sealed once and can lie anywhere; its key is released later, to one chamber, in one session,
on one piece of evidence and one policy. All of that stands in HPKE's `info` (RFC 9180, base mode), so a
key that was released elsewhere opens nothing here.

    "parley-seal/1\n" role(1) session(32) commitment(32) size(u64)   the header
    chunk chunk ... chunk                                            1 MiB each but the last, 16 bytes of tag

A chunk's nonce is its number and a mark on the last one, its associated data the header: what is cut,
extended, reordered or taken from elsewhere is refused (the STREAM construction, Hoang, Reyhanitabar,
Rogaway and Vizar 2015). Pure but for HPKE's own ephemeral key; both ends of an exercise may call it.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from parley_attestation.encoding import Bytes32, Digest, Label, frame, mac, u64
from parley_attestation.errors import LocalError, PeerError, Reason, Role

CHUNK = 1 << 20  # bytes of plain text in every chunk but the last
TAG = 16  # bytes that sealing adds to a chunk
MAX_CONTENT = 1 << 44  # bytes of one sealed content
WRAPPED = 80  # bytes of a wrapped data key: encapsulated key, 32 bytes, tag
_MAGIC = b"parley-seal/1\n"
_HEADER = struct.Struct(">14sB32s32sQ")
HEADER = _HEADER.size  # bytes before the first chunk
_ROLES = {1: Role.PROVER, 2: Role.VERIFIER, 3: Role.CHAMBER}
_CODES = {role: code for code, role in _ROLES.items()}
_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)

Read = Callable[[int], bytes]  # as a binary file's `read`: at most that many bytes, none at the end


@dataclass(frozen=True, slots=True)
class Sealed:
    """What one sealed content says it is.

    Attributes:
        role: Who sealed it: the prover its weights, the verifier its tests, a chamber the results.
        session: The session it is for.
        commitment: What the plain text must open: the model claim's commitment, the test set's root, or the
            root of the results.
        size: Bytes of plain text.
    """

    role: Role
    session: Digest
    commitment: Digest
    size: int

    def __post_init__(self) -> None:
        """Refuse what cannot be sealed. Raises `PeerError` (BAD_SEAL, TOO_LARGE)."""
        if self.role not in _CODES:
            raise PeerError(
                Reason.BAD_SEAL, f"expected content of a party or a chamber, not of a {self.role}"
            )
        if not 0 <= self.size <= MAX_CONTENT:
            raise PeerError(Reason.TOO_LARGE, f"expected 0..{MAX_CONTENT} bytes to seal, got {self.size}")

    @property
    def chunks(self) -> int:
        """Number of chunks; empty content has one."""
        return max(1, -(-self.size // CHUNK))

    @property
    def sealed_size(self) -> int:
        """Bytes of the sealed form, header included."""
        return HEADER + self.size + TAG * self.chunks

    def header(self) -> bytes:
        """The header, which every chunk authenticates."""
        return _HEADER.pack(_MAGIC, _CODES[self.role], self.session, self.commitment, self.size)


@dataclass(frozen=True, slots=True)
class Grant:
    """To what a data key is released: one content, one appraised evidence, one policy."""

    sealed: Sealed
    evidence: Digest
    policy: Digest

    def info(self) -> bytes:
        """HPKE's `info`."""
        return frame(
            Label.SEAL,
            self.sealed.role.encode(),
            self.sealed.session,
            self.sealed.commitment,
            self.evidence,
            self.policy,
            u64(CHUNK),
            u64(self.sealed.chunks),
        )


@dataclass(frozen=True, slots=True)
class RecipientKey:
    """A chamber's HPKE key pair of one run; it is never stored."""

    private: X25519PrivateKey = field(repr=False)

    @classmethod
    def of_entropy(cls, entropy: Bytes32) -> "RecipientKey":
        """The key pair that 32 random bytes give."""
        return cls(X25519PrivateKey.from_private_bytes(entropy))

    @property
    def public(self) -> Bytes32:
        """The public key, which evidence binds."""
        return Bytes32(self.private.public_key().public_bytes_raw())


def read_header(raw: bytes) -> Sealed:
    """Read a header of `HEADER` bytes. Raises `PeerError` (BAD_SEAL, TOO_LARGE)."""
    if len(raw) != HEADER:
        raise PeerError(Reason.BAD_SEAL, f"expected a header of {HEADER} bytes, got {len(raw)}")
    magic, code, session, commitment, size = _HEADER.unpack(raw)
    if magic != _MAGIC or code not in _ROLES:
        raise PeerError(Reason.BAD_SEAL, "expected sealed content of version 1")
    return Sealed(_ROLES[code], Digest(session), Digest(commitment), size)


def seal(sealed: Sealed, data_key: Bytes32, read: Read) -> Iterator[bytes]:
    """Seal content; memory stays flat. The same content under the same key gives the same bytes.

    Args:
        sealed: What the content is.
        data_key: 32 random bytes, for this content alone.
        read: Gives the plain text, which must hold still: two texts under one key would show both.

    Yields:
        The header, then each sealed chunk.

    Raises:
        LocalError: CORRUPT, where the source is shorter or longer than `sealed` says.
    """
    header = sealed.header()
    cipher = _cipher(data_key, header)
    yield header
    for number in range(sealed.chunks):
        plain = _exactly(read, min(CHUNK, sealed.size - number * CHUNK))
        if plain is None:
            raise LocalError(Reason.CORRUPT, f"expected {sealed.size} bytes to seal, the source ended before")
        yield cipher.encrypt(_nonce(number, last=number == sealed.chunks - 1), plain, header)
    if read(1):
        raise LocalError(Reason.CORRUPT, f"expected {sealed.size} bytes to seal, the source has more")


def unseal(expected: Sealed, data_key: Bytes32, read: Read) -> Iterator[bytes]:
    """Open sealed content; memory stays flat.

    Every chunk that comes out is authentic and in its place. That nothing is missing is known only when
    the iterator ends: nothing may be used before.

    Args:
        expected: What the content must be, from the session and not from the content.
        data_key: The key that was released.
        read: Gives the sealed bytes, header first.

    Raises:
        PeerError: BAD_SEAL, where it is other content, cut, extended, reordered or altered.
    """
    header = expected.header()
    if _exactly(read, HEADER) != header:
        raise PeerError(Reason.BAD_SEAL, "the sealed content is not the one of this session and commitment")
    cipher = _cipher(data_key, header)
    for number in range(expected.chunks):
        size = min(CHUNK, expected.size - number * CHUNK)
        chunk = _exactly(read, size + TAG)
        if chunk is None:
            raise PeerError(Reason.BAD_SEAL, f"the sealed content ends before chunk {number} is whole")
        try:
            yield cipher.decrypt(_nonce(number, last=number == expected.chunks - 1), chunk, header)
        except InvalidTag:
            raise PeerError(Reason.BAD_SEAL, f"chunk {number} is not the one that was sealed") from None
    if read(1):
        raise PeerError(Reason.BAD_SEAL, "the sealed content goes on after its last chunk")


def wrap(data_key: Bytes32, recipient: Bytes32, grant: Grant) -> bytes:
    """Release a data key to a chamber's HPKE key under `grant`; returns `WRAPPED` bytes.

    Raises:
        PeerError: BAD_SEAL, for a key that no chamber can have.
    """
    try:
        public = X25519PublicKey.from_public_bytes(recipient)
        return _SUITE.encrypt(data_key, public, grant.info())
    except ValueError:
        raise PeerError(Reason.BAD_SEAL, "the chamber's key is no X25519 key of full order") from None


def unwrap(wrapped: bytes, recipient: RecipientKey, grant: Grant) -> Bytes32:
    """Open a released data key.

    Raises:
        PeerError: BAD_SEAL, where it was released to another chamber, session, content, evidence or policy.
    """
    if len(wrapped) != WRAPPED:
        raise PeerError(Reason.BAD_SEAL, f"expected a wrapped key of {WRAPPED} bytes, got {len(wrapped)}")
    try:
        return Bytes32(_SUITE.decrypt(wrapped, recipient.private, grant.info()))
    except (InvalidTag, ValueError):
        raise PeerError(
            Reason.BAD_SEAL, "the key was not released to this chamber, session, evidence and policy"
        ) from None


def _cipher(data_key: Bytes32, header: bytes) -> AESGCM:
    """The cipher of one content: a data key used twice by mistake still gives two keys."""
    return AESGCM(mac(data_key, Label.SEAL, header))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _exactly(read: Read, size: int) -> bytes | None:
    """`size` bytes, or None where the source ends before."""
    first = read(size)
    if len(first) == size:
        return first
    held = bytearray(first)
    while len(held) < size and (part := read(size - len(held))):
        held += part
    return bytes(held) if len(held) == size else None
