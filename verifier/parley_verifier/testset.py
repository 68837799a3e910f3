"""Room: test sets. Registration: read a set, shuffle it, commit to it, seal it at rest; the CLI calls it.

One pass over the source writes every item into the sealed file and keeps sizes; then places are drawn and
a pass over the sealed file, front to back, commits to each item at its place. What is committed is what
was sealed, whatever happens to the source meanwhile. Memory: about 250 bytes an item, whatever its size.
"""

from __future__ import annotations  # array[int] is no expression before Python 3.12

import hashlib
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from parley_attestation import merkle
from parley_attestation.commitment import ItemCommitter, SetName
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.vault import SealedWriter, VaultKey, sealed_writer
from parley_attestation.encoding import Bytes32
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_attestation.grading import Grader
from parley_attestation.keys import fingerprint
from parley_attestation.pairs import MEMBERS, mark
from parley_attestation.registration import MAX_STRATA, SCRIPT, SINGLE, Stratum, seal_registration

from parley_verifier import sealedset
from parley_verifier.items import Item, read_items
from parley_verifier.sealedset import SealedTestSet
from parley_verifier.shuffle import shuffle

__all__ = ["Phase", "Progress", "SealedTestSet", "Setup", "register"]

_STEP = 8192  # items between two reports of progress


class Phase(StrEnum):
    """What registration is doing."""

    READ = "read and seal"
    SHUFFLE = "shuffle"
    COMMIT = "commit"
    FINISH = "tree and tables"


Progress = Callable[[str, int, int], None]  # phase, items done, items in all (0 while nobody knows)


@dataclass(frozen=True, slots=True)
class Setup:
    """What a registration needs besides the items.

    Attributes:
        root_key: The owner's root key, which signs the registration.
        graders: The graders that the references were written for; each checks every reference.
        media_type: What prompts are.
        entropy: 96 random bytes: set id, item keys and order.
        key: What seals the set at rest.
        allow_duplicates: Whether a prompt may stand in the set twice.
        replace: Whether a file of that name gives way.
        baselines: Results of the null-model gate, for the registration.
    """

    root_key: SigningKey
    graders: tuple[Grader, ...]
    media_type: str
    entropy: bytes
    key: VaultKey
    allow_duplicates: bool = False
    replace: bool = False
    baselines: Any = None

    def __post_init__(self) -> None:
        if len(self.entropy) != 96:
            raise LocalError(Reason.INTERNAL, f"expected 96 random bytes, got {len(self.entropy)}")

    def __repr__(self) -> str:
        return "Setup(…)"


def register(source: Path, out: Path, setup: Setup, progress: Progress = lambda *_: None) -> bytes:
    """Register the items of `source` and seal them, with all their keys, into `out`.

    Args:
        source: A .jsonl or .csv file.
        out: The sealed test set; it appears whole or not at all.
        setup: The owner's decisions and secrets.
        progress: Called now and then.

    Returns:
        The public registration, sealed.

    Raises:
        LocalError: CONFIG, naming the line of the source, or where `out` exists.
        PeerError: BAD_REGISTRATION, for a registration that no reader would accept.
    """
    set_id, master, order = (Bytes32(setup.entropy[at : at + 32]) for at in (0, 32, 64))
    name = SetName(fingerprint(setup.root_key.public), set_id)
    with sealed_writer(out, setup.key, replace=setup.replace) as writer:
        rows = _collect(source, writer, setup, progress)
        rows.refuse_halves(source)
        size = len(rows.offsets)
        progress(Phase.SHUFFLE, 0, size)
        strata, places = rows.place(order)
        progress(Phase.COMMIT, 0, size)
        commitments = _commit(rows, places, writer, ItemCommitter(master, name, size), progress)
        progress(Phase.FINISH, 0, size)
        sealed = seal_registration(
            setup.root_key,
            set_id=set_id,
            size=size,
            root=merkle.Tree(sealedset.leaves(commitments)).root(),
            strata=strata,
            media_type=setup.media_type,
            prompt_bytes=max(rows.prompts),
            reference_bytes=max(rows.references),
            graders=tuple(grader.digest() for grader in setup.graders),
            baselines=setup.baselines,
            item_kind=SCRIPT if rows.scripted else SINGLE,
            members=tuple(rows.members),
        )
        sealedset.finish(writer, rows.table(places), commitments, master, sealed)
        progress(Phase.FINISH, size, size)
    return sealed


@dataclass(slots=True)
class _Rows:
    """Where each item lies in the sealed file, in the order of the source."""

    offsets: array[int] = field(default_factory=lambda: array("Q"))
    prompts: array[int] = field(default_factory=lambda: array("I"))  # sizes in bytes
    references: array[int] = field(default_factory=lambda: array("I"))
    ids: array[int] = field(default_factory=lambda: array("I"))
    strata: dict[str, array[int]] = field(default_factory=dict)  # name -> rows
    scripted: bool = False
    members: dict[str, int] = field(default_factory=dict)  # by name, in the order of the source
    open_pairs: dict[bytes, tuple[int, Item]] = field(default_factory=dict)  # pairs with one item so far
    twins: dict[int, int] = field(default_factory=dict)  # row -> row

    def add(self, source: Path, writer: SealedWriter, item: Item) -> None:
        own_id, row = item.own_id.encode(), len(self.offsets)
        reference = item.reference
        if item.pair:
            member = self.members.setdefault(item.member, len(self.members))
            if member >= MEMBERS:
                raise _refusal(source, item, f"expected one of the members {', '.join([*self.members][:2])}")
            reference = mark(member, reference)
            self._pair(source, row, item)
        self.strata.setdefault(item.stratum, array("I")).append(row)
        self.offsets.append(writer.size)
        self.prompts.append(len(item.prompt))
        self.references.append(len(reference))
        self.ids.append(len(own_id))
        writer.write(item.prompt + reference + own_id)

    def _pair(self, source: Path, row: int, item: Item) -> None:
        """Join an item with its twin; only the first one's names are kept until then."""
        name = hashlib.sha256(item.pair.encode()).digest()[:16]
        if name not in self.open_pairs:
            self.open_pairs[name] = (row, item._replace(prompt=b"", reference=b""))
            return
        other, twin = self.open_pairs.pop(name)
        if (twin.pair, twin.stratum) != (item.pair, item.stratum) or twin.member == item.member:
            raise _refusal(
                source, item, f"expected the twin of line {twin.line}: the other member, in the same stratum"
            )
        self.twins[row], self.twins[other] = other, row

    def refuse_halves(self, source: Path) -> None:
        """Refuse pairs that lack a member. Raises `LocalError` (CONFIG)."""
        for _, item in self.open_pairs.values():
            raise _refusal(source, item, "expected a second item of this pair")

    def _together(self, rows: array[int]) -> array[int]:
        """Each pair where its first item stands: a shuffled order stays one, of pairs and within them."""
        placed: dict[int, None] = {}
        for row in rows:
            placed |= {row: None, self.twins[row]: None} if row not in placed else {}
        return array("I", placed)

    def place(self, seed: Bytes32) -> tuple[tuple[Stratum, ...], array[int]]:
        """Draw a place for every row: strata by name, each a contiguous range, shuffled within."""
        places = array("I", bytes(4 * len(self.offsets)))
        strata: list[Stratum] = []
        start = 0
        for name in sorted(self.strata):
            rows = self.strata[name]
            shuffle(rows, seed, name.encode())
            rows = self._together(rows) if self.members else rows
            for index, row in enumerate(rows, start):
                places[row] = index
            strata.append(Stratum(name, start, len(rows)))
            start += len(rows)
        return (() if self.strata.keys() == {""} else tuple(strata)), places

    def table(self, places: array[int]) -> bytearray:
        table = bytearray(sealedset.ENTRY.size * len(places))
        for entry in zip(places, self.offsets, self.prompts, self.references, self.ids, strict=True):
            sealedset.ENTRY.pack_into(table, sealedset.ENTRY.size * entry[0], *entry[1:])
        return table


def _collect(source: Path, writer: SealedWriter, setup: Setup, progress: Progress) -> _Rows:
    """Seal every item in the order of the source, checked against the graders and the items before it."""
    rows = _Rows()
    prompts: dict[bytes, int] = {}  # 128 bits of SHA-256 -> line; only accidents matter here
    ids: dict[bytes, int] = {}
    first: Item | None = None
    for number, item in enumerate(read_items(source)):
        first = first or item
        if bool(item.stratum) != bool(first.stratum):
            raise _refusal(source, item, "expected a stratum in every item or in none")
        if item.scripted != first.scripted:
            raise _refusal(source, item, "expected a script in every item or in none")
        if bool(item.pair) != bool(first.pair):
            raise _refusal(source, item, "expected every item in a pair, or none")
        rows.scripted = item.scripted
        _grade(source, item, setup.graders)
        if not setup.allow_duplicates:
            _once(source, item, prompts, item.prompt, "the same prompt")
        if item.own_id:
            _once(source, item, ids, item.own_id.encode(), "the same id")
        rows.add(source, writer, item)
        if len(rows.strata) > MAX_STRATA:
            raise _refusal(source, item, f"expected at most {MAX_STRATA} strata")
        if number % _STEP == 0:
            progress(Phase.READ, number, 0)
    if first is None:
        raise LocalError(Reason.CONFIG, f"{source}: expected at least one item")
    return rows


def _once(source: Path, item: Item, seen: dict[bytes, int], value: bytes, what: str) -> None:
    line = seen.setdefault(hashlib.sha256(value).digest()[:16], item.line)
    if line != item.line:
        hint = "remove one, or allow duplicates" if what.endswith("prompt") else ""
        raise _refusal(source, item, f"{what} as in line {line}", hint)


def _grade(source: Path, item: Item, graders: tuple[Grader, ...]) -> None:
    for grader in graders:
        if (grader.answers is not None) is not item.scripted:
            hint = "a grader of scripts names which answers it grades, last or joined; no other does"
            raise _refusal(source, item, f"the {grader.KIND} grader is not one for this kind of item", hint)
        try:
            grader.check_reference(item.reference)
        except PeerError as error:
            raise _refusal(source, item, error.message) from error


def _refusal(source: Path, item: Item, message: str, hint: str = "") -> LocalError:
    return LocalError(Reason.CONFIG, f"{source}, line {item.line}: {message}", hint=hint)


def _commit(
    rows: _Rows, places: array[int], writer: SealedWriter, committer: ItemCommitter, progress: Progress
) -> bytearray:
    """C_prompt and C_reference of every item, joined, in the order of the set."""
    commitments = bytearray(64 * len(places))
    commit = committer.commitments
    for row, (index, offset, prompt, reference) in enumerate(
        zip(places, rows.offsets, rows.prompts, rows.references, strict=True)
    ):
        content = writer.read(offset, prompt + reference)
        commitments[64 * index : 64 * index + 64] = b"".join(
            commit(index, content[:prompt], content[prompt:])
        )
        if row % _STEP == 0:
            progress(Phase.COMMIT, row, len(places))
    return commitments
