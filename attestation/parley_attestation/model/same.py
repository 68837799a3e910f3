"""Room: the model. Proves that two claims are over the same bytes; prover and verifier call it.

Both claims of one series commit to one content commitment, each under its own key. Showing the two keys
and that value proves equality, and shows: that the claims are equal, and the value itself, by which a
later opening of either claim can be linked to this proof. It shows no byte, name, size or count: the value
is keyed by the series' secret. Chosen over opening both roots to a party named in the terms, because
nobody has to be trusted and nothing has to be compared in private; the price is that the second claim
must be made with the secret of the first. Equal means the same files, names and bytes: the same
weights in other shards or another format are another model here.
"""

from dataclasses import dataclass

from parley_attestation import canonical
from parley_attestation.canonical import Fields
from parley_attestation.encoding import Digest, Salt
from parley_attestation.errors import PeerError, Reason
from parley_attestation.model.claim import ClaimSecret, ModelClaim, commit


@dataclass(frozen=True, slots=True)
class SameModel:
    """Two claims that commit to the same files, checked."""

    first: ModelClaim
    second: ModelClaim
    content: Digest


def prove_same(first: tuple[ModelClaim, ClaimSecret], second: tuple[ModelClaim, ClaimSecret]) -> bytes:
    """Show that two claims are over the same bytes; returns canonical JSON.

    Raises:
        PeerError: BAD_OPENING, where they are not, or were not made in one series.
    """
    content = first[1].content()
    proof = canonical.dump(
        {
            "claims": [first[0].digest.hex(), second[0].digest.hex()],
            "keys": [first[1].key.hex(), second[1].key.hex()],
            "content": content.hex(),
        }
    )
    verify_same(first[0], second[0], proof)
    return proof


def verify_same(first: ModelClaim, second: ModelClaim, proof: bytes) -> SameModel:
    """Check that `first` and `second` commit to the same files.

    Raises:
        PeerError: BAD_OPENING where the proof does not show it; MALFORMED or NOT_CANONICAL.
    """
    fields = Fields(canonical.load(proof, limit=4096))
    claims = [Digest.of_hex(c) for c in fields.texts("claims", 2, 2)]
    keys = [Salt(Digest.of_hex(k)) for k in fields.texts("keys", 2, 2)]
    content = fields.digest("content")
    fields.end()
    if claims != [first.digest, second.digest] or first.digest == second.digest:
        raise PeerError(Reason.BAD_OPENING, "expected a proof about these two different claims")
    for claim, key in zip((first, second), keys, strict=True):
        if commit(key, claim.owner, claim.claim_id, content) != claim.commitment:
            raise PeerError(Reason.BAD_OPENING, "the two claims are not shown to be over the same bytes")
    return SameModel(first, second, content)
