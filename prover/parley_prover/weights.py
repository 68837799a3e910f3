"""Room: the prover. Registers models: from files and a root key to a sealed claim and its secret."""

from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.weights.hashing import Progress, hash_plan
from parley_attestation.edge.weights.plan import make_plan
from parley_attestation.edge.weights.verify import compare
from parley_attestation.encoding import Bytes32, Label, Salt, mac
from parley_attestation.errors import LocalError, PeerError
from parley_attestation.model.claim import ClaimSecret, ModelClaim, read_claim, seal_claim
from parley_attestation.model.manifest import Keys, build

from parley_prover.weight_journal import Journal


@dataclass(frozen=True, slots=True)
class Registration:
    """A registered model: the claim to publish, and the secret to keep."""

    claim: ModelClaim
    secret: ClaimSecret = field(repr=False)


def register_model(  # noqa: PLR0913 - keyword-only, each an input of one claim
    location: str,
    *,
    root_key: SigningKey,
    name: str,
    entropy: Bytes32,
    formats: tuple[str, ...] = (),
    same_as: ClaimSecret | None = None,
    journal: Path | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Registration:
    """Hash the files at `location` once and sign a claim over them.

    Args:
        location: A folder, a single file, or a URL that fsspec knows.
        root_key: The prover's root key.
        name: What the claim calls the model; becomes public.
        entropy: 32 fresh random bytes; claim id and secrets follow from them.
        formats: File formats to state in public; none by default.
        same_as: The secret of an earlier claim over the same bytes. The new claim joins its series, so
            that `prove_same` works. Other bytes are refused: their salts must not be used twice.
        journal: Where to remember finished files; an interrupted call with the same path goes on there,
            with the entropy of the first call. Delete it once the registration is stored.
        executor: Where hashing runs; None hashes in this thread.
        progress: Called with bytes done and bytes in all.

    Raises:
        LocalError: Files that cannot be claimed (links, special files, broken headers) or read, or that
            differ from `same_as`.
    """
    try:
        plan = make_plan(location)
        written = Journal(journal, plan, entropy) if journal is not None else None
        entropy = written.entropy if written is not None else entropy
        series = same_as.series if same_as is not None else Bytes32(mac(entropy, Label.MODEL_SERIES))
        if same_as is not None:
            compare(same_as.manifest, plan)
        keys = Keys(series, len(plan.segments))
        resume = written.resume() if written is not None else None
        roots = hash_plan(plan, keys, executor, progress, resume)
        if same_as is not None:
            compare(same_as.manifest, plan, roots)
        secret = ClaimSecret(
            Bytes32(mac(entropy, Label.MODEL_CLAIM, b"id")),
            Salt(mac(entropy, Label.MODEL_CLAIM, b"key")),
            series,
            build(plan.segments, roots),
        )
        sealed = seal_claim(root_key, secret=secret, name=name, formats=formats)
    except PeerError as error:  # the files are our own here
        raise LocalError(error.reason, error.message, hint=error.hint) from error
    return Registration(read_claim(sealed, root_key.public), secret)
