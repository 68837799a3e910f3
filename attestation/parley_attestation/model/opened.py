"""Room: the model. Checks an opening against its claim and gives the opened bytes; the verifier calls it.

The checks are numbered as in the specification's section on openings.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from parley_attestation import canonical
from parley_attestation.canonical import Fields
from parley_attestation.commitment import SeedTree
from parley_attestation.encoding import MAX_BLOB, Bytes32, Digest, Salt
from parley_attestation.errors import PeerError, Reason
from parley_attestation.model import chunks as tree
from parley_attestation.model.chunks import CHUNK
from parley_attestation.model.claim import ModelClaim, commit
from parley_attestation.model.layout import MAX_PATH, MAX_SEGMENTS, Segment, check_path
from parley_attestation.model.manifest import (
    commit_content,
    commit_total,
    commit_what,
    commit_where,
    entry_leaf,
    read_segment,
)
from parley_attestation.model.opening import MAX_HEADER, Opening
from parley_attestation.model.request import (
    MAX_DRAWN,
    RandomRequest,
    RangeRequest,
    Request,
    Runs,
    TensorRequest,
    draw,
    request_digest,
    runs_size,
    salts_cover,
)

MAX_PARTS = 1 << 16  # segments that one opening touches


@dataclass(frozen=True, slots=True)
class Place:
    """Where a segment stands: its offset in the file in bytes, and its first chunk in the model."""

    offset: int
    first_chunk: int


@dataclass(frozen=True, slots=True)
class OpenedPart:
    """Verified chunks of one segment; `place` only where the request was about it."""

    segment: Segment
    place: Place | None
    runs: Runs
    data: bytes


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """Verified bytes of a claimed model that answer one request.

    `content` is the tensor, exactly the bytes of the range, or the drawn chunks one after the other.
    """

    claim: ModelClaim
    request: Request
    parts: tuple[OpenedPart, ...]
    content: bytes


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of the header as parsed; nothing is checked against the claim yet."""

    index: int
    segment: Segment
    root: Digest
    leaf: bytes
    place: Place | None
    runs: Runs
    seeds: tuple[Bytes32, ...]
    proof: tuple[Digest, ...]


def verify_opening(claim: ModelClaim, request: Request, opening: Opening) -> OpenedModel:
    """Check that `opening` answers `request` about the model behind `claim`.

    Args:
        claim: The claim, read with `read_claim`.
        request: What was asked; for random chunks, with the agreed seed.
        opening: As received.

    Raises:
        PeerError: BAD_OPENING or BAD_PROOF where it does not; MALFORMED, NOT_CANONICAL or TOO_LARGE
            where it cannot be read.
    """
    fields = Fields(canonical.load(opening.header, limit=MAX_HEADER))
    # (1) The opening is about this claim and this request.
    if fields.digest("claim") != claim.digest or fields.digest("request") != request_digest(request):
        raise PeerError(Reason.BAD_OPENING, "the opening answers another claim or request")
    key, content_key = Salt(fields.hex("key")), Salt(fields.hex("content_key"))
    root, entries = fields.digest("root"), fields.integer("entries", 1, MAX_SEGMENTS)
    total, chunks = _total(fields.object("total"), shown=isinstance(request, RandomRequest))
    place = not isinstance(request, TensorRequest)
    parts = fields.items("parts", lambda f: _read_part(f, place=place), MAX_PARTS, 1)
    proof = _hashes(fields, "proof")
    fields.end()
    # (2) Keys, root, size and total open the claim's commitment.
    content = commit_content(content_key, root, entries, total)
    if commit(key, claim.owner, claim.claim_id, content) != claim.commitment:
        raise PeerError(Reason.BAD_OPENING, "the opening does not open the claim's commitment")
    # (3) The parts stand in the manifest's tree.
    indices = [p.index for p in parts]
    if indices != sorted(set(indices)):
        raise PeerError(Reason.BAD_OPENING, "expected the parts in ascending order")
    if tree.root_from_proof({p.index: p.leaf for p in parts}, entries, proof) != root:
        raise PeerError(Reason.BAD_PROOF, "the parts do not stand in the claimed manifest")
    # (4) The chunks stand in their segments.
    opened = _check_chunks(parts, opening.data)
    # (5) They are what was asked for.
    return OpenedModel(claim, request, opened, _answer(request, opened, chunks))


def _total(fields: Fields, *, shown: bool) -> tuple[Digest, int]:
    """The commitment to the totals, and the number of chunks where it is shown."""
    if not shown:
        commitment = fields.digest("commitment")
        fields.end()
        return commitment, 0
    key, size, chunks = Salt(fields.hex("key")), fields.integer("size"), fields.integer("chunks")
    fields.end()
    return commit_total(key, size, chunks), chunks


def _hashes(fields: Fields, name: str, limit: int = 1 << 17) -> tuple[Digest, ...]:
    return tuple(Digest.of_hex(h) for h in fields.texts(name, limit))


def _read_part(fields: Fields, *, place: bool) -> _Part:
    index = fields.integer("index", 0, MAX_SEGMENTS)
    what_key = Salt(fields.hex("what_key"))
    raw = fields.raw("what")
    what = Fields(raw, f"{fields.path}.what")
    path = check_path(what.text("path", MAX_PATH))
    segment, root = read_segment(what, path)
    where, stands = _where(fields.object("where"), place=place)
    runs = _runs(fields, tree.chunk_count(segment.size))
    seeds = tuple(Bytes32.of_hex(s) for s in fields.texts("seeds", 1 << 17))
    proof = _hashes(fields, "proof")
    fields.end()
    leaf = entry_leaf(commit_what(what_key, canonical.dump(raw)), where)
    return _Part(index, segment, root, leaf, stands, runs, seeds, proof)


def _where(fields: Fields, *, place: bool) -> tuple[Digest, Place | None]:
    if not place:
        commitment = fields.digest("commitment")
        fields.end()
        return commitment, None
    key = Salt(fields.hex("key"))
    stands = Place(fields.integer("offset"), fields.integer("first_chunk"))
    fields.end()
    raw = canonical.dump({"offset": stands.offset, "first_chunk": stands.first_chunk})
    return commit_where(key, raw), stands


def _runs(fields: Fields, chunks: int) -> Runs:
    runs: list[tuple[int, int]] = []
    end = -1
    for run in fields.list("runs", MAX_DRAWN):
        if not isinstance(run, list) or len(run) != 2 or not all(type(n) is int for n in run):
            fields.refuse("runs", "pairs of integers")
        start, stop = run
        if not end < start < stop <= chunks:
            fields.refuse("runs", f"ascending runs, apart, of at most {chunks} chunks")
        runs.append((start, stop))
        end = stop
    if (not runs) != (chunks == 0):
        fields.refuse("runs", "at least one run, or none in an empty segment")
    return tuple(runs)


def _check_chunks(parts: Sequence[_Part], data: bytes) -> tuple[OpenedPart, ...]:
    sizes = [runs_size(p.segment.size, p.runs) for p in parts]
    if sum(sizes) != len(data) or len(data) > MAX_BLOB:
        raise PeerError(Reason.BAD_OPENING, f"expected {sum(sizes)} bytes of chunks, got {len(data)}")
    opened = []
    start = 0
    for part, size in zip(parts, sizes, strict=True):
        shown = data[start : start + size]
        _check_part(part, memoryview(shown))
        opened.append(OpenedPart(part.segment, part.place, part.runs, shown))
        start += size
    return tuple(opened)


def _check_part(part: _Part, view: memoryview) -> None:
    chunks = tree.chunk_count(part.segment.size)
    if not chunks:
        if part.seeds or part.proof:
            raise PeerError(Reason.BAD_OPENING, "expected no seeds and no proof for an empty segment")
        return
    cover = salts_cover(chunks, part.runs)
    if len(cover) != len(part.seeds):
        raise PeerError(Reason.BAD_OPENING, f"expected {len(cover)} seeds, got {len(part.seeds)}")
    known: dict[int, bytes] = {}
    at = 0
    for (first, height), seed in zip(cover, part.seeds, strict=True):
        salts = SeedTree(seed, 1 << height).keys()
        for number in range(first, min(first + (1 << height), chunks)):
            size = tree.chunk_size(part.segment.size, number)
            salt = salts[32 * (number - first) : 32 * (number - first) + 32]
            known[number] = tree.leaf(salt, view[at : at + size])
            at += size
    if tree.root_from_proof(known, chunks, part.proof) != part.root:
        raise PeerError(Reason.BAD_PROOF, f"the opened chunks are not those of {part.segment}")


def _answer(request: Request, parts: tuple[OpenedPart, ...], chunks: int) -> bytes:
    joined = b"".join(p.data for p in parts)
    if isinstance(request, TensorRequest):
        segment = parts[0].segment
        whole = ((0, tree.chunk_count(segment.size)),) if segment.size else ()
        asked = (request.path, request.name) == (segment.path, segment.name) and parts[0].runs == whole
        if not asked or len(parts) != 1 or not segment.name:
            raise PeerError(Reason.BAD_OPENING, "the opening shows another tensor than the one asked for")
        return joined
    if isinstance(request, RangeRequest):
        return _range(request, parts, joined)
    shown = [p.place.first_chunk + n for p in parts if p.place for run in p.runs for n in range(*run)]
    if tuple(shown) != draw(request, chunks):
        raise PeerError(Reason.BAD_OPENING, "the opening shows other chunks than those drawn")
    return joined


def _range(request: RangeRequest, parts: tuple[OpenedPart, ...], joined: bytes) -> bytes:
    begin = end = -1
    for part in parts:
        (start, stop), *more = part.runs or ((0, 0),)
        place = part.place.offset if part.place else 0
        low, high = place + CHUNK * start, place + min(part.segment.size, CHUNK * stop)
        if more or part.segment.path != request.path or (end >= 0 and low != end):
            raise PeerError(Reason.BAD_OPENING, "expected one gap-free range of the file asked for")
        begin, end = (low if begin < 0 else begin), high
    if not begin <= request.start < request.stop <= end:
        raise PeerError(Reason.BAD_OPENING, "the opening does not cover the range asked for")
    return joined[request.start - begin : request.stop - begin]
