"""Room: the verifier. Registers test sets and reads them back: shuffled, committed, sealed at rest.

Registration reads the source twice: once to count, check and number the items, once to commit to each
at its secret place and seal it. Everything follows from one 32-byte secret inside the sealed file.
"""

import hashlib
import struct
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from parley_attestation import merkle
from parley_attestation.commitment import (
    Field,
    ItemCommitter,
    SeedTree,
    SetName,
    commit_item,
    content_digest,
)
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.vault import VaultKey, VaultReader, VaultWriter
from parley_attestation.encoding import MAX_BLOB, Bytes32, Digest, Label, Salt, mac
from parley_attestation.errors import LocalError, ParleyError, PeerError, Reason
from parley_attestation.grading import Grader
from parley_attestation.keys import fingerprint
from parley_attestation.registration import Stratum, TestSet, read_registration, seal_registration

from parley_verifier.items import Item, read_items

BLOCK = 16 << 10  # bytes of items sealed together
_ENTRY = struct.Struct(">IIII")  # block, offset in it, size of the prompt, size of the reference
_COUNTS = struct.Struct(">QQQQ")  # items, blocks of items, blocks of leaves, size of the registration
_LEAVES = 1 << 15  # leaf hashes in one block

Progress = Callable[[str, int, int], None]  # phase, done, of how many


@dataclass(frozen=True, slots=True)
class Setup:
    """What a registration needs besides the items.

    Attributes:
        root_key: The owner's root key, which signs the registration.
        graders: The graders that the references were written for; every reference is checked.
        media_type: What prompts are.
        entropy: 96 random bytes: set id and secrets follow from them.
        key: What seals the set at rest.
        allow_duplicates: Whether one prompt may stand twice.
    """

    root_key: SigningKey
    graders: tuple[Grader, ...]
    media_type: str
    entropy: bytes
    key: VaultKey
    allow_duplicates: bool = False

    def __repr__(self) -> str:
        return "Setup(…)"


def register(source: Path, out: Path, setup: Setup, progress: Progress = lambda *_: None) -> bytes:
    """Register the items in `source` and seal them into `out`; give the sealed public registration.

    Raises:
        LocalError: CONFIG, with the line, where an item cannot be used, or where `out` exists.
    """
    places, strata = _survey(source, setup, progress)
    size = len(places)
    set_id = Bytes32(setup.entropy[:32])
    master = Bytes32(setup.entropy[32:64])
    name = SetName(fingerprint(setup.root_key.public), set_id)
    committer = ItemCommitter(master, name, size)
    leaves = bytearray(32 * size)
    entries = bytearray(_ENTRY.size * size)
    longest = [1, 1]
    with VaultWriter(out, setup.key, setup.entropy[64:96]) as vault:
        held = bytearray()
        for number, item in enumerate(read_items(source)):
            index = places[number]
            if held and len(held) + len(item.prompt) + len(item.reference) > BLOCK:
                vault.block(bytes(held))
                held = bytearray()
            _ENTRY.pack_into(
                entries,
                _ENTRY.size * index,
                len(vault.offsets),
                len(held),
                len(item.prompt),
                len(item.reference),
            )
            held += item.prompt
            held += item.reference
            leaves[32 * index : 32 * index + 32] = committer.leaf(index, item.prompt, item.reference)
            longest = [max(longest[0], len(item.prompt)), max(longest[1], len(item.reference))]
            if not number % 10_000:
                progress("commit and seal", number, size)
        vault.block(bytes(held))
        item_blocks = len(vault.offsets)
        for start in range(0, len(leaves), 32 * _LEAVES):
            vault.block(bytes(leaves[start : start + 32 * _LEAVES]))
        progress("tree", size, size)
        sealed = seal_registration(
            setup.root_key,
            set_id=set_id,
            size=size,
            root=merkle.Tree(leaves).root(),
            strata=strata,
            media_type=setup.media_type,
            prompt_bytes=longest[0],
            reference_bytes=longest[1],
            graders=tuple(grader.digest() for grader in setup.graders),
        )
        offsets = struct.pack(f">{len(vault.offsets)}Q", *vault.offsets)
        counts = _COUNTS.pack(size, item_blocks, len(vault.offsets) - item_blocks, len(sealed))
        vault.finish(counts + master + sealed + offsets + bytes(entries))
    return sealed


def _survey(source: Path, setup: Setup, progress: Progress) -> tuple["array[int]", tuple[Stratum, ...]]:
    """First pass: check every item, and give the secret index of each, by its number in the source."""
    members: dict[str, array[int]] = {}
    seen: dict[bytes, int] = {}
    count = 0
    for item in read_items(source):
        _check(source, item, setup, seen)
        members.setdefault(item.stratum, array("I")).append(count)
        count += 1
        if not count % 10_000:
            progress("check", count, 0)
    if not count:
        raise LocalError(Reason.CONFIG, f"{source}: holds no item")
    if "" in members and len(members) > 1:
        raise LocalError(Reason.CONFIG, f"{source}: expected a stratum on every item, or on none")
    places = array("I", bytes(4 * count))
    strata, start = [], 0
    for number, (name, numbers) in enumerate(sorted(members.items())):
        seed = mac(setup.entropy[32:64], Label.LOCAL, b"shuffle", number.to_bytes(8, "big"))
        for place, member in enumerate(shuffled(numbers, seed)):
            places[member] = start + place
        strata.append(Stratum(name, start, len(numbers)))
        start += len(numbers)
    return places, tuple(strata) if "" not in members else ()


def _check(source: Path, item: Item, setup: Setup, seen: dict[bytes, int]) -> None:
    where = f"{source}: line {item.line}"
    if not setup.allow_duplicates:
        known = hashlib.blake2b(item.prompt, digest_size=16).digest()
        if (first := seen.setdefault(known, item.line)) != item.line:
            raise LocalError(
                Reason.CONFIG,
                f"{where}: the prompt of line {first} again",
                hint="duplicates inflate the population",
            )
    if len(item.prompt) + len(item.reference) > MAX_BLOB - 32:
        raise LocalError(Reason.CONFIG, f"{where}: expected at most {MAX_BLOB - 32} bytes in an item")
    for grader in setup.graders:
        try:
            grader.check_reference(item.reference)
        except PeerError as error:
            raise LocalError(Reason.CONFIG, f"{where}: {error.message}") from error


def shuffled(numbers: Sequence[int], seed: Bytes32) -> "array[int]":
    """Fisher-Yates over `numbers`, unbiased, from SHAKE-256 of `seed`: 8 bytes a draw, too large ones redrawn."""
    deck = array("I", numbers)
    draws = memoryview(hashlib.shake_256(seed).digest(8 * len(deck) + 1024)).cast("Q")
    at = 0
    for last in range(len(deck) - 1, 0, -1):
        limit = (1 << 64) // (last + 1) * (last + 1)
        while draws[at] >= limit:
            at += 1
        pick = draws[at] % (last + 1)
        at += 1
        deck[last], deck[pick] = deck[pick], deck[last]
    return deck


class SealedTestSet:
    """A registered test set with its secrets, read item by item; holds about 100 bytes an item in memory."""

    def __init__(self, path: Path, key: VaultKey) -> None:
        """Open a sealed set. Raises `LocalError` (CONFIG, CORRUPT), naming the file and the place."""
        self._path = path
        self._vault = VaultReader(path, key)
        index = self._vault.index
        try:
            size, item_blocks, leaf_blocks, sealed = _COUNTS.unpack_from(index)
            at = _COUNTS.size
            self._master = Bytes32(index[at : at + 32])
            self.registration = index[at + 32 : at + 32 + sealed]
            at += 32 + sealed
            self._offsets = struct.unpack_from(f">{item_blocks + leaf_blocks}Q", index, at)
            self._entries = index[at + 8 * len(self._offsets) :]
            self.public: TestSet = read_registration(self.registration, None)
        except (struct.error, ParleyError) as error:
            raise LocalError(Reason.CORRUPT, f"{path}: the index cannot be read ({error})") from error
        if len(self._entries) != _ENTRY.size * size or size != self.public.size:
            raise LocalError(Reason.CORRUPT, f"{path}: the index does not fit the registration")
        leaves = b"".join(
            self._vault.block(n, self._offsets[n]) for n in range(item_blocks, item_blocks + leaf_blocks)
        )
        self._tree = merkle.Tree(leaves)
        if self._tree.root() != self.public.root:
            raise LocalError(Reason.CORRUPT, f"{path}: the leaves do not give the registered root")
        self._name = SetName(self.public.owner, self.public.set_id)
        self._seeds = {f: SeedTree.of_field(self._master, self._name, f, size) for f in Field}
        self._held: tuple[int, bytes] = (-1, b"")

    def __repr__(self) -> str:
        return f"SealedTestSet({self.public.size} items)"

    def close(self) -> None:
        """Close the file."""
        self._vault.close()

    def _content(self, index: int) -> tuple[bytes, bytes]:
        block, offset, prompt, reference = _ENTRY.unpack_from(self._entries, _ENTRY.size * index)
        if self._held[0] != block:
            self._held = (block, self._vault.block(block, self._offsets[block]))
        content = self._held[1]
        return content[offset : offset + prompt], content[offset + prompt : offset + prompt + reference]

    def prompt(self, index: int) -> bytes:
        """The prompt of an item."""
        return self._content(index)[0]

    def reference(self, index: int) -> bytes:
        """The reference of an item."""
        return self._content(index)[1]

    def key(self, index: int, field: Field) -> Salt:
        """The key that opens one field of an item."""
        return self._seeds[field].key(index)

    def commitment(self, index: int, field: Field) -> Digest:
        """The commitment to one field of an item."""
        content = self._content(index)[0 if field is Field.PROMPT else 1]
        return commit_item(self.key(index, field), self._name, index, field, content_digest(content))

    def inclusion(self, index: int) -> tuple[Digest, ...]:
        """The inclusion proof of an item."""
        return self._tree.inclusion(index)
