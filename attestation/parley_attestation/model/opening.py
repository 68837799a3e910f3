"""Room: the model. Openings: chosen chunks of a claim with everything that proves them; both sides call it.

An opening is a header in canonical JSON and the chunks themselves. It shows: the chunks; path, name,
dtype, shape and size of the segments they are in; how many segments the model has and which of them
these are. Offsets and the model's total size are shown only where the request is about them; everything
else stays behind salted hashes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from parley_attestation import canonical
from parley_attestation.commitment import SeedTree
from parley_attestation.encoding import Bytes32
from parley_attestation.errors import PeerError, Reason
from parley_attestation.model import chunks as tree
from parley_attestation.model.claim import ClaimSecret, ModelClaim
from parley_attestation.model.manifest import Blinded, Keys, commit_where
from parley_attestation.model.request import (
    Pick,
    RandomRequest,
    Request,
    TensorRequest,
    request_digest,
)

MAX_HEADER = 8 << 20  # bytes of an opening's header


@dataclass(frozen=True, slots=True)
class Opening:
    """An opening as it travels; nothing in it is checked yet."""

    header: bytes
    data: bytes

    def encode(self) -> bytes:
        """Header length as 8 bytes big-endian, header, data."""
        return len(self.header).to_bytes(8, "big") + self.header + self.data


def decode(raw: bytes) -> Opening:
    """Split an encoded opening. Raises `PeerError` (MALFORMED, TOO_LARGE)."""
    length = int.from_bytes(raw[:8], "big")
    if len(raw) < 8 or length > len(raw) - 8:
        raise PeerError(Reason.MALFORMED, "expected an opening with a whole header")
    if length > MAX_HEADER:
        raise PeerError(Reason.TOO_LARGE, f"expected a header of at most {MAX_HEADER} bytes")
    return Opening(raw[8 : 8 + length], raw[8 + length :])


def build_opening(
    claim: ModelClaim,
    secret: ClaimSecret,
    blinded: Blinded,
    request: Request,
    picks: tuple[Pick, ...],
    material: Callable[[Pick], tuple[bytes, bytes]],
) -> Opening:
    """Put an opening together.

    Args:
        claim: The claim to open.
        secret: What opens it.
        blinded: `secret.blinded()`, which callers keep between openings.
        request: What was asked.
        picks: From `select`, not empty.
        material: Gives a pick's chunks, joined, and the leaf hashes of its whole segment, joined; where
            the whole segment is picked the leaf hashes are not needed and may be empty.
    """
    manifest, keys, entries = blinded.manifest, blinded.keys, blinded.tree
    leaves = b"".join(entries.leaf(n) for n in range(entries.size))
    parts: list[dict[str, Any]] = []
    data: list[bytes] = []
    for pick in picks:
        shown, segment_leaves = material(pick)
        data.append(shown)
        parts.append(_part(pick, keys, segment_leaves, place=not isinstance(request, TensorRequest)))
    header = {
        "claim": claim.digest.hex(),
        "request": request_digest(request).hex(),
        "key": secret.key.hex(),
        "content_key": keys.content.hex(),
        "root": entries.root().hex(),
        "entries": entries.size,
        "total": (
            {"key": keys.total.hex(), "size": manifest.size, "chunks": manifest.chunks}
            if isinstance(request, RandomRequest)
            else {"commitment": blinded.total().hex()}
        ),
        "parts": parts,
        "proof": [h.hex() for h in tree.prove(leaves, [p.index for p in picks])],
    }
    return Opening(canonical.dump(header), b"".join(data))


def _part(pick: Pick, keys: Keys, leaves: bytes, *, place: bool) -> dict[str, Any]:
    entry, chunks = pick.entry, pick.entry.chunks
    seed = Bytes32(keys.chunks(pick.index))
    salts = SeedTree(seed, chunks)
    whole = pick.runs == ((0, chunks),)
    seeds = [seed] if whole else [s for run in pick.runs for _, _, s in salts.cover(*run)]
    wanted = [n for start, stop in pick.runs for n in range(start, stop)]
    where_key = keys.where(pick.index)
    where: dict[str, Any] = (
        {"key": where_key.hex(), "offset": entry.segment.offset, "first_chunk": entry.first_chunk}
        if place
        else {"commitment": commit_where(where_key, entry.where()).hex()}
    )
    return {
        "index": pick.index,
        "what_key": keys.what(pick.index).hex(),
        "what": canonical.load(entry.what()),
        "where": where,
        "runs": [list(run) for run in pick.runs],
        "seeds": [s.hex() for s in seeds],
        "proof": [] if whole or not chunks else [h.hex() for h in tree.prove(leaves, wanted)],
    }
