"""Room: the prover. Registers models: from files and a root key to a sealed claim and its secret."""

from concurrent.futures import Executor
from dataclasses import dataclass, field

from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.weights.hashing import Progress, hash_plan
from parley_attestation.edge.weights.plan import make_plan
from parley_attestation.encoding import Bytes32, Label, Salt, mac
from parley_attestation.errors import LocalError, PeerError
from parley_attestation.model.claim import ClaimSecret, ModelClaim, read_claim, seal_claim
from parley_attestation.model.manifest import Keys, build


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
    series: Bytes32 | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Registration:
    """Hash the files at `location` once and sign a claim over them.

    Args:
        location: A folder or a single file.
        root_key: The prover's root key.
        name: What the claim calls the model; becomes public.
        entropy: 32 fresh random bytes; claim id and secrets follow from them.
        formats: File formats to state in public; none by default.
        series: The series secret of an earlier claim, if `same` shall be provable with it.
        executor: Where hashing runs; None hashes in this thread.
        progress: Called with bytes done and bytes in all.

    Raises:
        LocalError: Files that cannot be claimed (links, special files, broken headers) or read.
    """
    series = series if series is not None else Bytes32(mac(entropy, Label.MODEL_SERIES, b"secret"))
    try:
        plan = make_plan(location)
        roots = hash_plan(plan, Keys(series, len(plan.segments)), executor, progress)
        secret = ClaimSecret(
            Bytes32(mac(entropy, Label.MODEL_CLAIM, b"id")),
            Salt(mac(entropy, Label.MODEL_CLAIM, b"key")),
            series,
            build(plan.segments, roots),
        )
        claim = read_claim(seal_claim(root_key, secret=secret, name=name, formats=formats), root_key.public)
    except PeerError as error:  # the files are our own here
        raise LocalError(error.reason, error.message, hint=error.hint) from error
    return Registration(claim, secret)
