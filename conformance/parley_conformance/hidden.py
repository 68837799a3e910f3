"""Room: the suite. A registered test set held in memory: the suite's own, and that of tests and benchmarks."""

from collections.abc import Iterable, Sequence

from parley_attestation import keys, merkle
from parley_attestation.commitment import Field, ItemCommitter, SeedTree, SetName
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import Bytes32, Digest, Salt
from parley_attestation.grading import Grader
from parley_attestation.registration import SINGLE, Stratum, read_registration, seal_registration

Item = tuple[bytes, bytes]


class MemorySet:
    """A hidden set (`parley_verifier.challenge.HiddenSet`) that lives in memory, with its registration.

    Args:
        root_key: The owner's root key, which signs the registration.
        items: Prompts with their references.
        set_id: 32 bytes that name the set.
        master: 32 secret bytes that every key of an item follows from.
        graders: The graders that the set is registered for.
        strata: Ranges that cover the set; none where there is one stratum.
        item_kind: What every item is.
        members: Names of the two members of a pair; the references are then marked (`pairs.mark`).
    """

    def __init__(  # noqa: PLR0913 - keyword-only, each a field of one registration
        self,
        root_key: SigningKey,
        items: Iterable[Item],
        *,
        set_id: Bytes32,
        master: Bytes32,
        graders: Sequence[Grader],
        strata: Sequence[Stratum] = (),
        item_kind: str = SINGLE,
        members: tuple[str, ...] = (),
    ) -> None:
        self.items = list(items)
        self.told: list[Item] = []  # what its owner grades by, where it committed to other items
        self.master, self.graders = master, tuple(graders)
        size = len(self.items)
        self.name = SetName(keys.fingerprint(root_key.public), set_id)
        self.trees = {field: SeedTree.of_field(master, self.name, field, size) for field in Field}
        committer = ItemCommitter(master, self.name, size)
        self.commitments = [committer.commitments(n, *pair) for n, pair in enumerate(self.items)]
        self.tree = merkle.Tree(merkle.leaf_hash(a + b) for a, b in self.commitments)
        self.registration = seal_registration(
            root_key,
            set_id=set_id,
            size=size,
            root=self.tree.root(),
            strata=tuple(strata),
            media_type="text/plain",
            prompt_bytes=max(len(prompt) for prompt, _ in self.items),
            reference_bytes=max(len(reference) for _, reference in self.items),
            graders=tuple(grader.digest() for grader in graders),
            item_kind=item_kind,
            members=members,
        )
        self.public = read_registration(self.registration, root_key.public)

    def prompt(self, index: int) -> bytes:
        """The prompt of an item."""
        return self.items[index][0]

    def reference(self, index: int) -> bytes:
        """The reference of an item."""
        return (self.told or self.items)[index][1]

    def committed(self, index: int) -> bytes:
        """The reference that an item was committed with."""
        return self.items[index][1]

    def key(self, index: int, field: Field) -> Salt:
        """The key that opens one field of an item."""
        return self.trees[field].key(index)

    def commitment(self, index: int, field: Field) -> Digest:
        """The commitment to one field of an item."""
        return Digest(self.commitments[index][0 if field is Field.PROMPT else 1])

    def inclusion(self, index: int) -> tuple[Digest, ...]:
        """The inclusion proof of an item."""
        return self.tree.inclusion(index)
