"""Room: the chamber. What is inside sealed content, as a stream: weights with their secret, tests with theirs.

    weights   secret, then for every file its path and its size (u64) with the bytes after them; where the
              prover supplies the program, an empty frame and its files in the same way
    tests     master secret (32) and result seed (32), then prompt and reference of every item

Each part but a file's bytes is a frame. The parties write it (`parley_attestation.edge.packages`), the
chamber reads it onto its tmpfs; what is read is hostile until the model claim and the test set's root
have been recomputed from it.
"""

import hashlib
import io
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from parley_attestation import merkle
from parley_attestation.commitment import ItemCommitter, SetName
from parley_attestation.encoding import MAX_BLOB, Bytes32
from parley_attestation.errors import PeerError, Reason
from parley_attestation.model.claim import ClaimSecret, read_secret
from parley_attestation.model.layout import MAX_FILES, check_path
from parley_attestation.registration import TestSet
from parley_attestation.runtime import ProgramRuntime, Runtime

_SIZE = struct.Struct(">Q")
_BLOCK = 1 << 20


def read_weights(stream: Iterable[bytes], model: Path, program: Path) -> ClaimSecret:
    """Write the files of a model and of its program, and give its claim's secret; whether it fits is open yet.

    Raises:
        PeerError: BAD_SEAL; BAD_MODEL_CLAIM, for a path that leaves its folder.
    """
    source = _Stream(stream)
    secret, folder = read_secret(source.frame()), model
    for _ in range(MAX_FILES + 1):
        name = source.last_frame()
        if name is None:
            return secret
        if not name and folder is model:
            folder = program
            continue
        place = folder / check_path(name.decode("utf-8", "replace"))
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            with place.open("xb") as file:
                source.copy(file, source.number())
        except FileExistsError:
            raise PeerError(Reason.BAD_SEAL, "one file of the model is there twice") from None
    raise PeerError(Reason.BAD_SEAL, f"expected at most {MAX_FILES} files")


def check_program(folder: Path, runtime: Runtime) -> None:
    """Check that `folder` holds the program that the terms name, and no other file; make it executable.

    Raises:
        PeerError: BAD_RUNTIME.
    """
    wanted = dict(runtime.files) if isinstance(runtime, ProgramRuntime) else {}
    found = {}
    for place in folder.rglob("*"):
        if place.is_file():
            with place.open("rb") as file:
                found[place.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").digest()
            place.chmod(0o500)
    if found != wanted:
        raise PeerError(Reason.BAD_RUNTIME, "the program is not the one that the terms name")


@dataclass(frozen=True, slots=True)
class OpenedTests:
    """A test set on the chamber's tmpfs, recomputed to its registered root."""

    result_seed: Bytes32 = field(repr=False)
    path: Path
    places: tuple[tuple[int, int, int], ...]  # offset, bytes of the prompt, bytes of the reference

    def items(self, indices: Iterable[int]) -> Iterator[tuple[bytes, bytes]]:
        """Prompt and reference of the given items."""
        with self.path.open("rb") as file:
            for index in indices:
                offset, prompt, reference = self.places[index]
                file.seek(offset)
                yield file.read(prompt), file.read(reference)


def read_tests(stream: Iterable[bytes], path: Path, test_set: TestSet) -> OpenedTests:
    """Write the items to `path` and check that they are the registered ones.

    Raises:
        PeerError: BAD_SEAL; BAD_OPENING, where the items do not give the registered root.
    """
    source = _Stream(stream)
    master, result_seed = Bytes32(source.frame()), Bytes32(source.frame())
    committer = ItemCommitter(master, SetName(test_set.owner, test_set.set_id), test_set.size)
    tree, places, offset = merkle.CompactRange(), [], 0
    with path.open("xb") as file:
        for index in range(test_set.size):
            prompt, reference = source.frame(), source.frame()
            tree.append(committer.leaf(index, prompt, reference))
            file.write(prompt + reference)
            places.append((offset, len(prompt), len(reference)))
            offset += len(prompt) + len(reference)
    if source.last_frame() is not None:
        raise PeerError(Reason.BAD_SEAL, f"expected {test_set.size} items and nothing after them")
    if tree.root() != test_set.root:
        raise PeerError(Reason.BAD_OPENING, "the items do not give the registered root")
    return OpenedTests(result_seed, path, tuple(places))


class _Stream:
    """Reads frames from an iterator of byte strings of any sizes."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = iter(parts)
        self._held = io.BytesIO()

    def _take(self, size: int) -> bytes:
        found = self._held.read(size)
        if not found and (part := next(self._parts, None)) is not None:
            self._held = io.BytesIO(part)
            return self._take(size)
        return found

    def _exactly(self, size: int) -> bytes:
        found = bytearray()
        while len(found) < size:
            part = self._take(size - len(found))
            if not part:
                raise PeerError(Reason.BAD_SEAL, "the sealed content ends in the middle of a part")
            found += part
        return bytes(found)

    def number(self) -> int:
        """A size in bytes."""
        (size,) = _SIZE.unpack(self._exactly(_SIZE.size))
        return int(size)

    def frame(self) -> bytes:
        """The next frame."""
        found = self.last_frame()
        if found is None:
            raise PeerError(Reason.BAD_SEAL, "the sealed content ends before its last part")
        return found

    def last_frame(self) -> bytes | None:
        """The next frame, or None at the end."""
        first = self._take(1)
        if not first:
            return None
        (size,) = _SIZE.unpack(first + self._exactly(_SIZE.size - 1))
        if size > MAX_BLOB:
            raise PeerError(Reason.BAD_SEAL, f"expected parts of at most {MAX_BLOB} bytes")
        return self._exactly(size)

    def copy(self, out: BinaryIO, size: int) -> None:
        """Write the next `size` bytes, with flat memory."""
        while size:
            part = self._exactly(min(size, _BLOCK))
            out.write(part)
            size -= len(part)
