r"""Room: the edge. Secrets at rest: files sealed under a passphrase or a key file; every role may call it.

A sealed file is a header and blocks of 16 KiB, each sealed with XChaCha20-Poly1305 under a key of the
file's own; the nonce is the block's number and a mark on the last block. So a block can be opened alone,
and a file that is cut, extended, reordered or mixed with another is refused (the STREAM construction,
Hoang, Reyhanitabar, Rogaway and Vizar 2015). The file key is derived from the whole header.

    "parley-vault/1\n" kind(1) operations(u32) memory(u64) salt(16) nonce(32) check(32) block block ...
"""

import hmac
import os
import secrets
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import nacl.bindings as sodium
import nacl.exceptions
from nacl.pwhash import argon2id

from parley_attestation.edge.atomic import atomic_write
from parley_attestation.encoding import Bytes32, Label, mac
from parley_attestation.errors import LocalError, Reason

MAGIC = b"parley-vault/1\n"
BLOCK = 16 << 10  # bytes of plain text in every block but the last
_TAG = 16  # bytes that sealing adds to a block
_HEADER = struct.Struct(">15sBIQ16s32s")
_CHECK = 32  # bytes that tell a wrong key from a damaged block
BODY = _HEADER.size + _CHECK  # offset of the first block
_KEY_FILE, _PASSPHRASE = 0, 1
_MAX_OPERATIONS, _MAX_MEMORY = 8, 1 << 30  # Argon2id costs that a header may ask for
_CACHED = 256  # opened blocks kept by a reader


@dataclass(frozen=True, slots=True)
class VaultKey:
    """What opens sealed files: a passphrase, or the 32 bytes of a key file.

    Attributes:
        secret: The passphrase in UTF-8, or the 32 bytes.
        passphrase: Which of the two.
        operations: Argon2id passes for new files under a passphrase (RFC 9106); a file's own open it.
        memory: Argon2id memory for new files under a passphrase, bytes.
    """

    secret: bytes
    passphrase: bool
    operations: int = argon2id.OPSLIMIT_MODERATE
    memory: int = argon2id.MEMLIMIT_MODERATE

    def __post_init__(self) -> None:
        if not self.secret or not (self.passphrase or len(self.secret) == 32):
            raise LocalError(Reason.CONFIG, "expected a passphrase that is not empty, or a key of 32 bytes")

    def __repr__(self) -> str:
        return "VaultKey(…)"

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """Read a key file: 32 bytes, or 64 hexadecimal digits, readable by its owner alone.

        Raises:
            LocalError: CONFIG.
        """
        try:
            if path.stat().st_mode & 0o077:
                raise LocalError(Reason.CONFIG, f"{path}: others can read this key", hint=f"chmod 600 {path}")
            with path.open("rb") as file:
                raw = file.read(100)
        except OSError as error:
            raise LocalError(Reason.CONFIG, f"{path}: {error.strerror}") from error
        digits = raw.strip()
        if len(digits) == 64 and all(one in b"0123456789abcdefABCDEF" for one in digits):
            raw = bytes.fromhex(digits.decode())
        if len(raw) != 32:
            raise LocalError(Reason.CONFIG, f"{path}: expected 32 bytes or 64 hexadecimal digits")
        return cls(raw, passphrase=False)

    @classmethod
    def create_file(cls, path: Path) -> Self:
        """Write a new random key file of mode 0600. Raises `LocalError` (CONFIG) where there is one."""
        key = cls(secrets.token_bytes(32), passphrase=False)
        with atomic_write(path) as file:
            file.write(key.secret.hex().encode() + b"\n")
        return key


def seal_file(path: Path, content: bytes, key: VaultKey, *, replace: bool = False) -> None:
    """Seal `content` into a file. Raises `LocalError` (CONFIG) where it exists, unless told to `replace`."""
    with sealed_writer(path, key, replace=replace) as writer:
        writer.write(content)


def open_file(path: Path, key: VaultKey, limit: int = 1 << 20) -> bytes:
    """Read a small sealed file of at most `limit` bytes. Raises `LocalError` (CONFIG, CORRUPT)."""
    with SealedReader(path, key) as reader:
        if reader.size > limit:
            raise LocalError(Reason.CORRUPT, f"{path}: expected at most {limit} bytes, got {reader.size}")
        return reader.read(0, reader.size)


class _Blocks:
    """Seals and opens the blocks of one file under its own key."""

    def __init__(self, path: Path, file: BinaryIO, key: Bytes32) -> None:
        self.path = path
        self._file = file
        self._key = key

    def write(self, number: int, plain: bytes, *, last: bool) -> None:
        self._file.write(
            sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
                plain, None, _nonce(number, last=last), self._key
            )
        )

    def flush(self) -> None:
        self._file.flush()

    def read(self, number: int, *, last: bool) -> bytes:
        at = BODY + number * (BLOCK + _TAG)
        sealed = os.pread(self._file.fileno(), BLOCK + _TAG, at)
        try:
            return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
                sealed, None, _nonce(number, last=last), self._key
            )
        except (nacl.exceptions.CryptoError, ValueError, TypeError):
            raise LocalError(
                Reason.CORRUPT, f"{self.path}: the block at offset {at} is not what was sealed"
            ) from None


def _nonce(number: int, *, last: bool) -> bytes:
    return struct.pack(">Q?15x", number, last)


def _assemble(block: Callable[[int], bytes], offset: int, size: int) -> bytes:
    if not size:
        return b""  # at the end there is no block to read it from
    number, skip = divmod(offset, BLOCK)
    first = block(number)[skip : skip + size]
    if len(first) == size:
        return first
    parts, found = [first], len(first)
    while found < size:
        number += 1
        parts.append(block(number)[: size - found])
        found += len(parts[-1])
    return b"".join(parts)


class SealedWriter:
    """Writes a sealed file from front to back; what is written can be read back at once."""

    def __init__(self, blocks: _Blocks) -> None:
        self._blocks = blocks
        self._full = 0
        self._rest = bytearray()
        self._last: tuple[int, bytes] = (-1, b"")

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._full * BLOCK + len(self._rest)

    def write(self, data: bytes | bytearray) -> None:
        """Append `data`."""
        self._rest += data
        if len(self._rest) <= BLOCK:
            return
        at = 0
        while len(self._rest) - at > BLOCK:  # the last block is never empty, unless the file is
            self._blocks.write(self._full, bytes(self._rest[at : at + BLOCK]), last=False)
            self._full, at = self._full + 1, at + BLOCK
        del self._rest[:at]

    def read(self, offset: int, size: int) -> bytes:
        """Read back `size` bytes from `offset`, all of them written before."""
        return _assemble(self._block, offset, size)

    def _block(self, number: int) -> bytes:
        if number == self._full:
            return bytes(self._rest)
        if self._last[0] != number:
            self._blocks.flush()
            self._last = (number, self._blocks.read(number, last=False))
        return self._last[1]

    def finish(self) -> None:
        """Seal the last block."""
        self._blocks.write(self._full, bytes(self._rest), last=True)


@contextmanager
def sealed_writer(path: Path, key: VaultKey, *, replace: bool = False) -> Iterator[SealedWriter]:
    """Write a sealed file that appears at `path` whole, once the block ends without an error.

    Raises:
        LocalError: CONFIG, where the file exists and is not to be replaced, or cannot be written.
    """
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(32)
    if key.passphrase:
        header = _HEADER.pack(MAGIC, _PASSPHRASE, key.operations, key.memory, salt, nonce)
    else:
        header = _HEADER.pack(MAGIC, _KEY_FILE, 0, 0, salt, nonce)
    with atomic_write(path, replace=replace) as file:
        file_key = _file_key(path, key, header)
        file.write(header + mac(file_key, Label.SEAL, b"check"))
        file.flush()
        writer = SealedWriter(_Blocks(path, file, file_key))
        yield writer
        writer.finish()


class SealedReader:
    """A sealed file, opened for reading anywhere in it. Its last block is checked at once: nothing is cut."""

    def __init__(self, path: Path, key: VaultKey) -> None:
        """Open the file. Raises `LocalError`: CONFIG where it cannot be read, CORRUPT where it is not whole."""
        self.path = path
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise LocalError(Reason.CONFIG, f"{path}: {error.strerror}") from error
        try:
            self._open(key)
        except BaseException:
            self._file.close()
            raise

    def _open(self, key: VaultKey) -> None:
        head = os.pread(self._file.fileno(), BODY, 0)
        sealed = os.fstat(self._file.fileno()).st_size - BODY
        if len(head) < BODY or sealed < _TAG or not head.startswith(MAGIC):
            raise LocalError(Reason.CORRUPT, f"{self.path}: not a sealed file")
        file_key = _file_key(self.path, key, head[: _HEADER.size])
        if not hmac.compare_digest(mac(file_key, Label.SEAL, b"check"), head[_HEADER.size :]):
            raise LocalError(
                Reason.CORRUPT,
                f"{self.path}: another passphrase or key sealed it, or its first {BODY} bytes are damaged",
            )
        self._blocks = _Blocks(self.path, self._file, file_key)
        self._last = (sealed - 1) // (BLOCK + _TAG)
        self._cache: OrderedDict[int, bytes] = OrderedDict()
        self.size = self._last * BLOCK + len(self._block(self._last))

    def read(self, offset: int, size: int) -> bytes:
        """Read `size` bytes from `offset`.

        Raises:
            LocalError: CORRUPT, naming the offset of a damaged block, or where the file is shorter.
        """
        if offset < 0 or size < 0 or offset + size > self.size:
            raise LocalError(Reason.CORRUPT, f"{self.path}: expected {size} bytes at {offset} of {self.size}")
        return _assemble(self._block, offset, size)

    def _block(self, number: int) -> bytes:
        found = self._cache.get(number)
        if found is None:
            found = self._cache[number] = self._blocks.read(number, last=number == self._last)
            if len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(number)
        return found

    def close(self) -> None:
        """Close the file and forget what was opened."""
        self._file.close()
        self._cache.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _file_key(path: Path, key: VaultKey, header: bytes) -> Bytes32:
    """The key of one file, from the secret and every byte of the header before the check value."""
    _, kind, operations, memory, salt, _ = _HEADER.unpack(header)
    if kind != (_PASSPHRASE if key.passphrase else _KEY_FILE):
        sealed = {_PASSPHRASE: "a passphrase", _KEY_FILE: "a key file"}.get(kind, "something unknown")
        raise LocalError(Reason.CORRUPT, f"{path}: sealed under {sealed}")
    if not key.passphrase:
        return mac(key.secret, Label.SEAL, header)
    if not 1 <= operations <= _MAX_OPERATIONS or not 8192 <= memory <= _MAX_MEMORY:
        raise LocalError(Reason.CORRUPT, f"{path}: its header asks for an unbounded amount of work")
    try:
        stretched = argon2id.kdf(32, key.secret, salt, operations, memory)
    except (nacl.exceptions.CryptoError, RuntimeError, MemoryError):
        raise LocalError(Reason.CORRUPT, f"{path}: no memory for the {memory} bytes its key needs") from None
    return mac(stretched, Label.SEAL, header)
