"""Room: the verifier. The results of a sealed run that its receipt commits to, to open some of them later.

The chamber gives them to the verifier alone, sealed under the seed that the verifier had put into its own
sealed content. They are kept in a file under the key of the test set: whoever can read it can open every
result.
"""

import io
from pathlib import Path

from parley_attestation import canonical
from parley_attestation.canonical import Fields
from parley_attestation.commitment import SeedTree
from parley_attestation.edge.vault import VaultKey, open_file, seal_file
from parley_attestation.encoding import Bytes32, Digest, unhex
from parley_attestation.envelope import from_json
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.merkle import Tree
from parley_attestation.receipt import Receipt
from parley_attestation.sealed_terms import CODE_BITS, MAX_BITS
from parley_attestation.sealing import Sealed, unseal
from parley_attestation.session.audit import UNANSWERED, Audit, claimed
from parley_attestation.session.facts import Facts
from parley_attestation.session.messages import ClaimedResult
from parley_attestation.session.results import result_leaf, split
from parley_attestation.statement import parse
from parley_attestation.terms import read_terms

_MAX_FILE = 8 * MAX_BITS // CODE_BITS  # bytes; a code takes 5 where every unit has one


class SealedResults:
    """Every unit's result of one sealed run, in the order of the populations. Its representation shows none."""

    def __init__(self, seed: Bytes32, exercise: Digest, codes: tuple[bytes, ...]) -> None:
        """Take the result seed, the sealed exercise, and one byte per claim over the population for every unit."""
        self._seed, self._exercise, self._codes = seed, exercise, codes
        self._keys = SeedTree(seed, len(codes))
        salts = self._keys.keys()
        self._tree = Tree(
            result_leaf(bytes(salts[32 * n : 32 * n + 32]), exercise, n, one) for n, one in enumerate(codes)
        )

    def __repr__(self) -> str:
        return f"SealedResults({len(self._codes)} units)"

    @property
    def root(self) -> Digest:
        """What the receipt says."""
        return self._tree.root()

    def codes(self, place: int) -> bytes:
        """The result of one unit. Raises `LocalError` (CONFIG), for a place that the run had not."""
        if not 0 <= place < len(self._codes):
            raise LocalError(Reason.CONFIG, "the results are of a run over other units")
        return self._codes[place]

    def opened(self, place: int) -> ClaimedResult:
        """The result of one unit with all that shows it."""
        return ClaimedResult(self.codes(place), self._keys.key(place), self._tree.inclusion(place))

    def write(self, path: Path, key: VaultKey) -> None:
        """Write the file that `read_results` reads. Raises `LocalError` (CONFIG), where there is one."""
        document = {
            "seed": self._seed.hex(),
            "exercise": self._exercise.hex(),
            "codes": [one.hex() for one in self._codes],
        }
        seal_file(path, canonical.dump(document), key)


def handed_over(facts: Facts, seed: Bytes32, sealed: bytes) -> SealedResults:
    """Open the results that a chamber handed over, and check them against its receipt.

    Args:
        facts: The ended session; its first outcome is a receipt.
        seed: The result seed that stood in the verifier's sealed content.
        sealed: What the chamber gave.

    Raises:
        PeerError: BAD_SEAL, for other content than the receipt's; BAD_RECEIPT, where the results give
            another root, other counts than the receipt states, or a byte that is no result.
    """
    audit, receipt = facts.audit, facts.outcomes[0]
    assert audit is not None
    assert isinstance(receipt, Receipt)
    what = Sealed(Role.CHAMBER, Digest(facts.session_id), receipt.result_root, receipt.handed_over)
    plain = b"".join(unseal(what, seed, io.BytesIO(sealed).read))
    codes = split(plain, [n for n, size in _frames(audit) for _ in range(size)])
    found = SealedResults(seed, receipt.exercise, tuple(codes))
    if found.root != receipt.result_root:
        raise PeerError(
            Reason.BAD_RECEIPT, "the chamber handed over other results than its receipt commits to"
        )
    if max(plain, default=0) > UNANSWERED:  # no audit could open it: it would be the verifier's fault there
        raise PeerError(Reason.BAD_RECEIPT, "the chamber handed over bytes that are no results")
    told = _successes(audit, codes)
    if [n - n % receipt.round_to for n in told] != [count.successes for count in receipt.counts]:
        raise PeerError(Reason.BAD_RECEIPT, "the results give other counts than the receipt states")
    return found


def _frames(audit: Audit) -> list[tuple[int, int]]:
    """Claims over every population, and its units."""
    return [(len(audit.claims_of(n)), frame.size) for n, frame in enumerate(audit.frames)]


def _successes(audit: Audit, codes: list[bytes]) -> list[int]:
    """The exact count of every claim."""
    start, found = 0, {}
    for number, (_, size) in enumerate(_frames(audit)):
        for place, claim in enumerate(audit.claims_of(number)):
            units = codes[start : start + size]
            found[claim.claim_id] = sum(claimed(claim, one[place]) for one in units)
        start += size
    return [found[claim.claim_id] for claim in audit.claims]


def read_results(path: Path, key: VaultKey, root: Digest) -> SealedResults:
    """Read a file of results and check it against a receipt's root.

    Raises:
        LocalError: CONFIG, where it cannot be read or belongs to another receipt; CORRUPT.
    """
    try:
        fields = Fields(canonical.load(open_file(path, key, _MAX_FILE), limit=_MAX_FILE))
        codes = tuple(unhex(text, len(text) // 2) for text in fields.texts("codes", 1 << 24, 1))
        found = SealedResults(fields.bytes32("seed"), fields.digest("exercise"), codes)
        fields.end()
    except PeerError as error:
        raise LocalError(Reason.CONFIG, f"{path}: no file of sealed results ({error})") from error
    if found.root != root:
        raise LocalError(Reason.CONFIG, f"{path}: these are not the results of the receipt in the terms")
    return found


def results_for(terms: bytes, path: Path | None, key: VaultKey) -> SealedResults | None:
    """The results that sealed terms need, from the file that is configured for them.

    Raises:
        LocalError: CONFIG, where terms audit a receipt or hand results over and no file is named, or the
            other way round; where the file is of another receipt; CORRUPT.
    """
    said = read_terms(parse(from_json(terms).payload))
    handed = said.sealed is not None and said.sealed.hand_over
    if (handed or said.audited is not None) is not (path is not None):
        raise LocalError(
            Reason.CONFIG,
            "expected a file of results exactly where the terms audit a sealed receipt or hand results over",
            hint="name it as `results` in [verifier]: a sealed run writes it, an audit reads it",
        )
    return None if said.audited is None or path is None else read_results(path, key, said.audited.result_root)
