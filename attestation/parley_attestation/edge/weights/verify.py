"""Room: the edge. Recomputes a claim from files on disk; chamber, judge and prover call it."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import chain, zip_longest

from parley_attestation.edge.weights.hashing import Progress, hash_plan
from parley_attestation.edge.weights.plan import Plan, make_plan
from parley_attestation.encoding import Digest
from parley_attestation.errors import PeerError, Reason, printable
from parley_attestation.model.claim import ClaimSecret, ModelClaim, verify_secret
from parley_attestation.model.layout import Kind, Segment
from parley_attestation.model.manifest import Keys, Manifest

MAX_NAMED = 5  # differences named in one refusal


@dataclass(frozen=True, slots=True)
class VerifiedModel:
    """Files that were read in full and are, byte for byte, what the claim commits to."""

    claim: ModelClaim
    manifest: Manifest
    plan: Plan


def verify_model(
    location: str,
    claim: ModelClaim,
    secret: ClaimSecret,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> VerifiedModel:
    """Check that the files at `location` are the ones that `claim` commits to.

    Args:
        location: A folder or a single file.
        claim: The claim, read with `read_claim`.
        secret: What opens it.
        executor: Where hashing runs; None hashes in this thread.
        progress: Called with bytes done and bytes in all.

    Raises:
        PeerError: BAD_OPENING where the secret does not open the claim; BAD_MODEL_CLAIM where the files
            differ, naming the tensors or files; nothing is hashed if names or sizes differ already.
        LocalError: Where files cannot be read.
    """
    manifest = verify_secret(claim, secret)
    plan = make_plan(location)
    compare(manifest, plan)
    compare(manifest, plan, hash_plan(plan, Keys(secret.series, len(plan.segments)), executor, progress))
    return VerifiedModel(claim, manifest, plan)


def compare(manifest: Manifest, plan: Plan, roots: Sequence[Digest] | None = None) -> None:
    """Refuse files that are laid out differently from `manifest`, or, with `roots`, hold other bytes.

    Raises:
        PeerError: BAD_MODEL_CLAIM, naming the first tensors or files that differ.
    """
    if roots is None:
        _refuse(_layout_differences(manifest, plan))
        return
    pairs = zip(manifest.entries, roots, strict=True)
    _refuse([f"{entry.segment} differs" for entry, root in pairs if entry.root != root])


def _layout_differences(manifest: Manifest, plan: Plan) -> list[str]:
    claimed = {path: [e.segment for e in row] for path, row in manifest.files()}
    found: dict[str, list[Segment]] = {f.path: [] for f in plan.files}
    for segment in plan.segments:
        found[segment.path].append(segment)
    said = [f"file {printable(p)!r} is not in the claim" for p in found if p not in claimed]
    said += [f"file {printable(p)!r} is missing" for p in claimed if p not in found]
    said += [
        f"{_first_difference(row, found[path])} is laid out differently"
        for path, row in claimed.items()
        if path in found and found[path] != row
    ]
    return said


def _first_difference(claimed: list[Segment], found: list[Segment]) -> Segment | None:
    """The first tensor that is not there as claimed; where tensors agree, the first segment."""
    tensors = [[replace(s, offset=0) for s in row if s.kind is Kind.TENSOR] for row in (claimed, found)]
    pairs = chain(zip_longest(*tensors), zip_longest(claimed, found))
    return next((one or there for one, there in pairs if one != there), None)


def _refuse(differences: list[str]) -> None:
    if differences:
        more = f" and {len(differences) - MAX_NAMED} more" if len(differences) > MAX_NAMED else ""
        raise PeerError(
            Reason.BAD_MODEL_CLAIM, "not the claimed model: " + ", ".join(differences[:MAX_NAMED]) + more
        )
