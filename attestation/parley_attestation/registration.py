"""Room: the core. The public registration of a test set: what its owner fixes before any counterparty.

It names the tree's root together with its size, so that a proof cannot be shown under another size,
and the strata as contiguous index ranges, so that membership needs no proof of its own.
"""

from dataclasses import dataclass
from typing import Any

from parley_attestation.canonical import Fields
from parley_attestation.ed25519 import PublicKey, SigningKey
from parley_attestation.encoding import MAX_BLOB, MAX_ITEMS, Bytes32, Digest
from parley_attestation.errors import PeerError, Reason
from parley_attestation.keys import fingerprint
from parley_attestation.pairs import Members, read_members
from parley_attestation.statement import Statement, Subject, open_sealed, seal, signer

TEST_SET = "tag:parley,2026:test-set/v1"
SINGLE, SCRIPT = "single", "script"
ITEM_KINDS = (SINGLE, SCRIPT)
MAX_STRATA = 64
MAX_GRADERS = 64


@dataclass(frozen=True, slots=True)
class Stratum:
    """A named, contiguous range of item indices."""

    name: str
    start: int
    count: int


@dataclass(frozen=True, slots=True)
class TestSet:
    """A registration as read from its sealed statement; nothing in it shows an item."""

    __test__ = False  # not a test, whatever pytest thinks

    owner: Digest
    set_id: Bytes32
    size: int
    root: Digest
    strata: tuple[Stratum, ...]
    item_kinds: tuple[str, ...]
    media_type: str
    prompt_bytes: int
    reference_bytes: int
    graders: tuple[Digest, ...]
    baselines: Any
    statement: Statement
    members: Members = ()

    @property
    def group(self) -> int:
        """Items that count as one unit: 2 in a set of pairs, else 1."""
        return len(self.members) or 1

    @property
    def scripted(self) -> bool:
        """Whether the items are scripts."""
        return self.item_kinds == (SCRIPT,)


def seal_registration(  # noqa: PLR0913 - keyword-only, each a field of one statement
    key: SigningKey,
    *,
    set_id: Bytes32,
    size: int,
    root: Digest,
    strata: tuple[Stratum, ...],
    media_type: str,
    prompt_bytes: int,
    reference_bytes: int,
    graders: tuple[Digest, ...],
    baselines: Any = None,
    item_kind: str = SINGLE,
    members: Members = (),
) -> bytes:
    """Sign a registration with the owner's root key.

    Args:
        key: The owner's root key.
        set_id: 32 random bytes that name the set.
        size: Items in the set.
        root: Root over the items' leaves.
        strata: Ranges that cover the set, in order; empty where there is one stratum.
        media_type: What prompts are, for people and engines.
        prompt_bytes: Longest prompt.
        reference_bytes: Longest reference.
        graders: Digests of the grader documents that the references were written for.
        baselines: Results of the null-model gate, canonical JSON.
        item_kind: What every item is: `single`, or `script`.
        members: Names of the two members of a pair, where items 2n and 2n + 1 are one; else none.

    Raises:
        PeerError: BAD_REGISTRATION, for a registration that no reader would accept.
    """
    predicate = {
        "owner": fingerprint(key.public).hex(),
        "set_id": set_id.hex(),
        "size": size,
        "root": root.hex(),
        "strata": [{"name": s.name, "start": s.start, "count": s.count} for s in strata],
        "item_kinds": [item_kind],
        "media_type": media_type,
        "caps": {"prompt_bytes": prompt_bytes, "reference_bytes": reference_bytes},
        "graders": [g.hex() for g in graders],
        "baselines": baselines,
    } | ({"members": list(members)} if members else {})
    sealed = seal(Statement(TEST_SET, (Subject("test-set", root),), predicate), key)
    read_registration(sealed, key.public)
    return sealed


def read_registration(sealed: bytes, root: PublicKey | None) -> TestSet:
    """Verify and read a sealed registration.

    Args:
        sealed: The DSSE envelope in JSON.
        root: The root key that must have signed. Without it the registration is only consistent with
            the key it names: compare `owner` with a pinned fingerprint.

    Raises:
        PeerError: BAD_REGISTRATION, BAD_SIGNATURE or BAD_STATEMENT.
    """
    key = root or signer(sealed)
    said = open_sealed(sealed, key).expect(TEST_SET)
    fields = said.fields(Reason.BAD_REGISTRATION)
    caps = fields.object("caps")
    found = TestSet(
        owner=fields.digest("owner"),
        set_id=fields.bytes32("set_id"),
        size=fields.integer("size", 1, MAX_ITEMS),
        root=fields.digest("root"),
        strata=fields.items("strata", _stratum, MAX_STRATA),
        item_kinds=fields.texts("item_kinds", 1, 1),
        media_type=fields.text("media_type", 128),
        prompt_bytes=caps.integer("prompt_bytes", 1, MAX_BLOB - 32),
        reference_bytes=caps.integer("reference_bytes", 1, MAX_BLOB - 32),
        graders=_graders(fields),
        baselines=fields.raw("baselines"),
        statement=said,
        members=read_members(fields),
    )
    caps.end()
    fields.end()
    if found.owner != fingerprint(key):
        raise PeerError(Reason.BAD_REGISTRATION, "the registration is signed by another key than its owner's")
    if said.subjects != (Subject("test-set", found.root),):
        raise PeerError(Reason.BAD_REGISTRATION, "the registration's subject is not its root")
    if any(kind not in ITEM_KINDS for kind in found.item_kinds):
        raise PeerError(Reason.BAD_REGISTRATION, f"expected items of kind {', '.join(ITEM_KINDS)} only")
    _check_strata(found)
    if any(size % found.group for size in (found.size, *(s.count for s in found.strata))):
        raise PeerError(
            Reason.BAD_REGISTRATION, "expected pairs that are whole in the set and in every stratum"
        )
    return found


def _graders(fields: Fields) -> tuple[Digest, ...]:
    try:
        return tuple(Digest.of_hex(text) for text in fields.texts("graders", MAX_GRADERS, 1))
    except PeerError:
        fields.refuse("graders", f"a list of 1..{MAX_GRADERS} digests, 64 lower-case hexadecimal digits each")


def _stratum(fields: Fields) -> Stratum:
    found = Stratum(
        fields.text("name", 64), fields.integer("start", 0, MAX_ITEMS), fields.integer("count", 1, MAX_ITEMS)
    )
    fields.end()
    return found


def _check_strata(found: TestSet) -> None:
    if not found.strata:
        return
    end = 0
    for stratum in found.strata:
        if stratum.start != end:
            raise PeerError(
                Reason.BAD_REGISTRATION, "expected strata that cover the set without gap or overlap"
            )
        end += stratum.count
    if end != found.size or len({s.name for s in found.strata}) != len(found.strata):
        raise PeerError(Reason.BAD_REGISTRATION, "expected differently named strata that cover the whole set")
