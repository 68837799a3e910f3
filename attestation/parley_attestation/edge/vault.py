"""Room: the edge. A sealed file of blocks: XChaCha20-Poly1305 under a passphrase or a key file.

Every block is sealed on its own under the file's id, its number and its role, so blocks can be read in
any order and none can be altered, moved, spliced in from another file or cut off. The last block is an
index of the caller's. Files are mode 0600 and appear whole or not at all; nothing is overwritten.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import nacl.bindings
import nacl.exceptions
import nacl.pwhash.argon2id as argon2

from parley_attestation.errors import LocalError, Reason

MAGIC = b"PARLEY VAULT 1\n\0"
_HEAD = struct.Struct(">16sB16sQQ16s")  # magic, kind of key, salt, operations, memory, file id
_BLOCK = struct.Struct(">Q")
_TAIL = struct.Struct(">QQ")  # offset of the index block, number of blocks before it
_TAG = 16
_PASSPHRASE, _KEY_FILE = 1, 2
MAX_MEMORY = 1 << 30  # bytes of Argon2id that a file may ask for


@dataclass(frozen=True, slots=True)
class VaultKey:
    """What opens a sealed file: a passphrase, or the 32 bytes of a key file."""

    secret: bytes
    passphrase: bool

    def __repr__(self) -> str:
        return "VaultKey(…)"

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """Read a key file: 32 bytes, or 64 hexadecimal digits. Raises `LocalError` (CONFIG)."""
        try:
            if path.stat().st_mode & 0o077:
                raise LocalError(Reason.CONFIG, f"{path}: others can read this key", hint=f"chmod 600 {path}")
            raw = path.read_bytes()
        except OSError as error:
            raise LocalError(Reason.CONFIG, f"{path}: {error.strerror}") from error
        if len(raw.strip()) == 64:
            try:
                raw = bytes.fromhex(raw.decode().strip())
            except ValueError:
                raw = b""
        if len(raw) != 32:
            raise LocalError(Reason.CONFIG, f"{path}: expected 32 bytes or 64 hexadecimal digits")
        return cls(raw, passphrase=False)

    def derive(self, kind: int, salt: bytes, operations: int, memory: int) -> bytes:
        """The file's key. Raises `LocalError` (CONFIG) where the file wants the other kind of key."""
        if (kind == _PASSPHRASE) is not self.passphrase:
            wanted = "a passphrase" if kind == _PASSPHRASE else "a key file"
            raise LocalError(Reason.CONFIG, f"this file opens with {wanted}")
        if kind == _KEY_FILE:
            return nacl.bindings.crypto_generichash_blake2b_salt_personal(
                b"", key=self.secret, salt=salt, person=b"parley-vault-1\0\0"
            )
        return argon2.kdf(32, self.secret, salt, opslimit=operations, memlimit=memory)


class VaultWriter:
    """Writes a sealed file block by block; it appears under its name when `finish` has run."""

    def __init__(self, path: Path, key: VaultKey, entropy: bytes) -> None:
        """Begin a file at `path`, which must not exist; `entropy` is 32 random bytes."""
        if path.exists():
            raise LocalError(Reason.CONFIG, f"{path}: exists already", hint="choose another file")
        kind = _PASSPHRASE if key.passphrase else _KEY_FILE
        operations, memory = (
            (argon2.OPSLIMIT_MODERATE, argon2.MEMLIMIT_MODERATE) if key.passphrase else (0, 0)
        )
        salt = entropy[:16]
        self._id = entropy[16:32]
        self._key = key.derive(kind, salt, operations, memory)
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._part.unlink(missing_ok=True)
        self._out = os.fdopen(os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._head = _HEAD.pack(MAGIC, kind, salt, operations, memory, self._id)
        self._out.write(self._head)
        self._offset = len(self._head)
        self.offsets: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._out.close()
        self._part.unlink(missing_ok=True)

    def block(self, data: bytes) -> int:
        """Seal one block; give its number."""
        self.offsets.append(self._offset)
        self._write(data, len(self.offsets) - 1, b"block")
        return len(self.offsets) - 1

    def _write(self, data: bytes, number: int, role: bytes) -> None:
        sealed = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
            data, self._head + role, self._id + _BLOCK.pack(number), self._key
        )
        self._out.write(_BLOCK.pack(len(sealed)) + sealed)
        self._offset += _BLOCK.size + len(sealed)

    def finish(self, index: bytes) -> None:
        """Seal the index, bring everything to disk, and let the file appear."""
        at = self._offset
        self._write(index, len(self.offsets), b"index")
        self._out.write(_TAIL.pack(at, len(self.offsets)))
        self._out.flush()
        os.fsync(self._out.fileno())
        os.link(self._part, self._path)
        self._part.unlink()
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class VaultReader:
    """Reads blocks of a sealed file in any order."""

    def __init__(self, path: Path, key: VaultKey) -> None:
        """Open the file and its index. Raises `LocalError` (CONFIG, CORRUPT)."""
        self._path = path
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise LocalError(Reason.CONFIG, f"{path}: {error.strerror}") from error
        self._size = path.stat().st_size
        self._head = self._file.read(_HEAD.size)
        if len(self._head) != _HEAD.size or not self._head.startswith(MAGIC):
            raise LocalError(Reason.CORRUPT, f"{path}: byte 0: not a sealed file of this version")
        _, kind, salt, operations, memory, self._id = _HEAD.unpack(self._head)
        if kind not in {_PASSPHRASE, _KEY_FILE} or memory > MAX_MEMORY or operations > 16:
            raise LocalError(Reason.CORRUPT, f"{path}: byte 16: unknown kind of key")
        self._key = key.derive(kind, salt, operations, memory)
        if self._size < _HEAD.size + _TAIL.size:
            raise LocalError(Reason.CORRUPT, f"{path}: byte {self._size}: the file is cut short")
        self._file.seek(self._size - _TAIL.size)
        at, self.blocks = _TAIL.unpack(self._file.read(_TAIL.size))
        self.index = self._read(at, self.blocks, b"index", self._size - _TAIL.size)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def block(self, number: int, offset: int) -> bytes:
        """Block `number`, which starts at `offset`. Raises `LocalError` (CORRUPT), naming the place."""
        return self._read(offset, number, b"block", None)

    def _read(self, offset: int, number: int, role: bytes, end: int | None) -> bytes:
        sealed = b""
        if _HEAD.size <= offset <= self._size - _BLOCK.size and number < 1 << 63:
            self._file.seek(offset)
            size = int(_BLOCK.unpack(self._file.read(_BLOCK.size))[0])
            left = self._size - offset - _BLOCK.size
            if _TAG <= size <= left and (end is None or offset + _BLOCK.size + size == end):
                sealed = self._file.read(size)
        try:
            return nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
                sealed, self._head + role, self._id + _BLOCK.pack(number), self._key
            )
        except (nacl.exceptions.CryptoError, ValueError, struct.error) as error:
            what = "the index" if role == b"index" else f"block {number}"
            raise LocalError(
                Reason.CORRUPT,
                f"{self._path}: {what} at byte {offset}: wrong key, or changed since it was sealed",
            ) from error
