"""Room: the prover. Opens parts of a registered model: budget first, then the disk, then its own check."""

from parley_attestation.commitment import SeedTree
from parley_attestation.edge.weights.source import FileInfo, ReadInto, Source, open_source
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.errors import LocalError, PeerError, Reason, printable
from parley_attestation.model.chunks import CHUNK, chunk_count, leaves
from parley_attestation.model.manifest import Keys
from parley_attestation.model.opened import verify_opening
from parley_attestation.model.opening import Opening, build_opening
from parley_attestation.model.request import Pick, Request, request_digest, select

from parley_prover.weight_budget import Caps, Disclosure, WeightBudget
from parley_prover.weights import Registration


class WeightOpener:
    """A registered model, where its files lie, and the budget that guards them; made once a session."""

    def __init__(self, registration: Registration, location: str, budget: WeightBudget) -> None:
        """Recompute the manifest's tree; reads no file."""
        self.budget = budget
        self._registration = registration
        self._location = location
        self._blinded = registration.secret.blinded()
        self._content = self._blinded.content()

    def open(self, request: Request, counterparty: Digest, terms: Caps | None = None) -> Opening:
        """Answer `request`, if the budget has room for it.

        Args:
            request: What was asked.
            counterparty: Root fingerprint of who asked.
            terms: Caps of the exercise's terms.

        Raises:
            PeerError: BUDGET_EXHAUSTED, WRONG_INDEX, OVER_CAP; nothing has been read then.
            LocalError: CORRUPT, where the files are gone or no longer the registered ones.
        """
        secret = self._registration.secret
        picks = select(secret.manifest, request)
        asked = Disclosure(
            self._content, counterparty, request_digest(request), sum(pick.size for pick in picks)
        )
        self.budget.reserve(asked, secret.manifest.size, terms)
        try:
            source = open_source(self._location)
            infos = {info.path: info for info in source.scan()}
            opening = build_opening(
                self._registration.claim,
                secret,
                self._blinded,
                request,
                picks,
                lambda pick: _material(source, infos, pick, self._blinded.keys),
            )
            verify_opening(self._registration.claim, request, opening)
        except PeerError as error:  # our own files, our own opening
            raise LocalError(
                Reason.CORRUPT, f"the files are not the registered ones: {error.message}"
            ) from error
        return opening


def _material(source: Source, infos: dict[str, FileInfo], pick: Pick, keys: Keys) -> tuple[bytes, bytes]:
    """The picked chunks, and the leaf hashes of the whole segment where only a part is picked."""
    segment = pick.entry.segment
    if segment.path not in infos:
        raise PeerError(Reason.BAD_MODEL_CLAIM, f"file {printable(segment.path)!r} is missing")
    shown = bytearray(pick.size)
    found = bytearray()
    with source.reading(infos[segment.path]) as read_into:
        view = memoryview(shown)
        for start, stop in pick.runs:
            size = min(segment.size, CHUNK * stop) - CHUNK * start
            read_into(segment.offset + CHUNK * start, view[:size])
            view = view[size:]
        if pick.runs != ((0, pick.entry.chunks),):
            found = _leaves(read_into, pick, keys.chunks(pick.index), source.block)
    return bytes(shown), bytes(found)


def _leaves(read_into: ReadInto, pick: Pick, seed: Bytes32, block: int) -> bytearray:
    segment = pick.entry.segment
    salts = SeedTree(seed, pick.entry.chunks).keys()
    buffer = memoryview(bytearray(min(block, segment.size)))
    found = bytearray()
    for start in range(0, segment.size, block):
        view = buffer[: min(block, segment.size - start)]
        read_into(segment.offset + start, view)
        at = 32 * (start // CHUNK)
        found += leaves(salts[at : at + 32 * chunk_count(len(view))], view)
    return found
