"""Room: the verifier. The results of a sealed run that its receipt commits to, to open some of them later.

The chamber gave them to the verifier alone, joined with the seed that the verifier had put into its sealed
content. The file is secret: whoever has it can open every result.
"""

from pathlib import Path

from parley_attestation import canonical
from parley_attestation.canonical import Fields
from parley_attestation.commitment import SeedTree
from parley_attestation.encoding import MAX_BLOB, Bytes32, Digest, unhex
from parley_attestation.envelope import from_json
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_attestation.merkle import Tree
from parley_attestation.session.messages import ClaimedResult
from parley_attestation.session.results import result_leaf
from parley_attestation.statement import parse
from parley_attestation.terms import read_terms


class SealedResults:
    """Every unit's result of one sealed run, in the order of the populations. Its representation shows none."""

    def __init__(self, seed: Bytes32, exercise: Digest, codes: tuple[bytes, ...]) -> None:
        """Take the result seed, the sealed exercise, and one byte per claim over the population for every unit."""
        self._codes = codes
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


def write_results(seed: Bytes32, exercise: Digest, codes: tuple[bytes, ...]) -> bytes:
    """The file that `read_results` reads."""
    return canonical.dump(
        {"seed": seed.hex(), "exercise": exercise.hex(), "codes": [one.hex() for one in codes]}
    )


def read_results(path: Path, root: Digest) -> SealedResults:
    """Read a file of results and check it against a receipt's root.

    Raises:
        LocalError: CONFIG, where it cannot be read or belongs to another receipt.
    """
    try:
        fields = Fields(canonical.load(path.read_bytes(), limit=MAX_BLOB))
        codes = tuple(unhex(text, len(text) // 2) for text in fields.texts("codes", 1 << 24, 1))
        found = SealedResults(fields.bytes32("seed"), fields.digest("exercise"), codes)
        fields.end()
    except (OSError, PeerError) as error:
        raise LocalError(Reason.CONFIG, f"{path}: no file of sealed results ({error})") from error
    if found.root != root:
        raise LocalError(Reason.CONFIG, f"{path}: these are not the results of the receipt in the terms")
    return found


def results_for(terms: bytes, path: Path | None) -> SealedResults | None:
    """The results that sealed terms need, from the file that is configured for them.

    Raises:
        LocalError: CONFIG, where one is there without the other, or the file is of another receipt.
    """
    audited = read_terms(parse(from_json(terms).payload)).audited
    if (audited is None) is not (path is None):
        raise LocalError(
            Reason.CONFIG, "expected a file of results exactly where the terms audit a sealed receipt"
        )
    return None if audited is None or path is None else read_results(path, audited.result_root)
