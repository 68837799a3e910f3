"""Room: test sets. A registered test set at rest, read item by item; the verifier's policy calls it.

Inside the vault: all items' bytes; one entry of 20 bytes an item (offset, sizes of prompt, reference and
id); both commitments of each item; a canonical JSON footer with the registration and the secret from
which every item key follows; the footer's size. Nothing but what is asked for is opened.
"""

import struct
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from parley_attestation import canonical, merkle
from parley_attestation.canonical import Fields
from parley_attestation.commitment import Field, SeedTree, SetName
from parley_attestation.edge import packages
from parley_attestation.edge.vault import SealedReader, SealedWriter, VaultKey
from parley_attestation.encoding import MAX_STATEMENT, Bytes32, Digest, Salt
from parley_attestation.errors import LocalError, ParleyError, PeerError, Reason
from parley_attestation.registration import TestSet, read_registration

FORMAT = "parley-test-set/1"
ENTRY = struct.Struct(">QIII")  # offset; bytes of prompt, reference, id
_PAIR = 64  # bytes of an item's two commitments
_FOOTER = struct.Struct(">I")
_MAX_FOOTER = 4 * MAX_STATEMENT
_AT_ONCE = 1 << 14  # commitments read in one go


def leaves(commitments: bytes | bytearray) -> bytearray:
    """The leaf hashes, joined, from both commitments of every item, joined."""
    found = bytearray()
    for at in range(0, len(commitments), _PAIR):
        found += merkle.leaf_hash(bytes(commitments[at : at + _PAIR]))
    return found


def finish(
    writer: SealedWriter,
    table: bytes | bytearray,
    commitments: bytes | bytearray,
    master: Bytes32,
    registration: bytes,
) -> None:
    """Write what follows the items: table, commitments and footer."""
    footer = canonical.dump(
        {
            "format": FORMAT,
            "table": writer.size,
            "master": master.hex(),
            "registration": registration.decode(),
        }
    )
    for part in (table, commitments):
        for at in range(0, len(part), 1 << 20):
            writer.write(part[at : at + (1 << 20)])
    writer.write(footer + _FOOTER.pack(len(footer)))


class SealedTestSet:
    """A registered test set with its secrets. Its representation shows none of them.

    Attributes:
        registration: The public registration, sealed.
        public: The registration as read.
    """

    def __init__(self, path: Path, key: VaultKey) -> None:
        """Open a sealed test set.

        Raises:
            LocalError: CONFIG, where it cannot be read; CORRUPT, naming file and offset, where it is not
                what was sealed or the key is another.
        """
        self._reader = SealedReader(path, key)
        try:
            self._read_footer()
        except ParleyError as error:
            self._reader.close()
            if isinstance(error, LocalError):
                raise
            raise LocalError(Reason.CORRUPT, f"{path}: not a sealed test set ({error.message})") from error

    def _read_footer(self) -> None:
        end = max(self._reader.size - _FOOTER.size, 0)
        (size,) = _FOOTER.unpack(self._reader.read(end, _FOOTER.size))
        footer = self._reader.read(end - size, size) if size <= min(end, _MAX_FOOTER) else b""
        fields = Fields(canonical.load(footer, limit=_MAX_FOOTER))
        fields.choice("format", {FORMAT: FORMAT})
        self._table = fields.integer("table")
        self._master = master = fields.bytes32("master")
        self.registration = fields.text("registration", _MAX_FOOTER).encode()
        fields.end()
        self.public: TestSet = read_registration(self.registration, None)
        self._commitments = self._table + ENTRY.size * self.public.size
        if self._commitments + _PAIR * self.public.size != end - size:
            raise PeerError(Reason.MALFORMED, "its tables have another size than its registration")
        name = SetName(self.public.owner, self.public.set_id)
        self._keys = {field: SeedTree.of_field(master, name, field, self.public.size) for field in Field}

    def __repr__(self) -> str:
        return f"SealedTestSet({self._reader.path}, {self.public.size} items)"

    def prompt(self, index: int) -> bytes:
        """The prompt of an item. Raises `LocalError` (CORRUPT), as every reading does."""
        offset, prompt, _, _ = self._entry(index)
        return self._reader.read(offset, prompt)

    def reference(self, index: int) -> bytes:
        """The reference of an item."""
        offset, prompt, reference, _ = self._entry(index)
        return self._reader.read(offset + prompt, reference)

    def own_id(self, index: int) -> str:
        """The owner's name of an item, empty where it has none; it leaves this file only to its owner."""
        offset, prompt, reference, own_id = self._entry(index)
        return self._reader.read(offset + prompt + reference, own_id).decode()

    def key(self, index: int, field: Field) -> Salt:
        """The key that opens one field of an item."""
        return self._keys[field].key(self._checked(index))

    def commitment(self, index: int, field: Field) -> Digest:
        """The commitment to one field of an item."""
        at = self._commitments + _PAIR * self._checked(index) + (32 if field is Field.REFERENCE else 0)
        return Digest(self._reader.read(at, 32))

    def inclusion(self, index: int) -> tuple[Digest, ...]:
        """The inclusion proof of an item; the first call builds the tree, 64 bytes of memory an item."""
        return self._tree.inclusion(self._checked(index))

    def package(self, result_seed: Bytes32) -> Iterator[bytes]:
        """The whole set as it is sealed for a chamber, with the seed under which result bits are committed."""
        items = ((self.prompt(n), self.reference(n)) for n in range(self.public.size))
        return packages.write_tests(self._master, result_seed, items)

    @property
    def package_size(self) -> int:
        """Bytes of the package."""
        entries = (self._entry(n) for n in range(self.public.size))
        return packages.tests_size(size for _, *sizes, _ in entries for size in sizes)

    @cached_property
    def _tree(self) -> merkle.Tree:
        found = bytearray()
        for start in range(0, self.public.size, _AT_ONCE):
            count = min(_AT_ONCE, self.public.size - start)
            found += leaves(self._reader.read(self._commitments + _PAIR * start, _PAIR * count))
        tree = merkle.Tree(found)
        if tree.root() != self.public.root:
            raise LocalError(Reason.CORRUPT, f"{self._reader.path}: its commitments give another root")
        return tree

    def _entry(self, index: int) -> tuple[int, int, int, int]:
        raw = self._reader.read(self._table + ENTRY.size * self._checked(index), ENTRY.size)
        offset, prompt, reference, own_id = ENTRY.unpack(raw)
        return offset, prompt, reference, own_id

    def _checked(self, index: int) -> int:
        if not 0 <= index < self.public.size:
            raise LocalError(Reason.INTERNAL, f"expected an item below {self.public.size}, got {index}")
        return index

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
