"""Room: the core. Qualification: a third party vouches for a test set's references; judge and CLI call it.

Without it a VIOLATION rests on references that the verifier wrote itself. The statement stands beside a
record as a side record; it counts where the terms name the qualifier's root.
"""

from collections.abc import Sequence

from parley_attestation import keys, statement
from parley_attestation.ed25519 import PublicKey, SigningKey
from parley_attestation.encoding import Digest
from parley_attestation.errors import ParleyError, PeerError, Reason
from parley_attestation.statement import Statement, Subject

QUALIFICATION = "tag:parley,2026:qualification/v1"


def seal_qualification(key: SigningKey, root: Digest, basis: str) -> bytes:
    """Vouch for the set with this root.

    Args:
        key: The qualifier's root key.
        root: Root of the set's tree.
        basis: On what grounds, in words; 1..4096 characters.
    """
    predicate = {"qualifier": keys.fingerprint(key.public).hex(), "basis": basis}
    sealed = statement.seal(Statement(QUALIFICATION, (Subject("test-set", root),), predicate), key)
    read_qualification(sealed)
    return sealed


def read_qualification(sealed: bytes) -> tuple[Digest, Digest]:
    """The qualifier's fingerprint and the root it vouches for.

    Raises:
        PeerError: BAD_STATEMENT or BAD_SIGNATURE.
    """
    key: PublicKey = statement.signer(sealed)
    said = statement.open_sealed(sealed, key).expect(QUALIFICATION)
    fields = said.fields()
    qualifier = fields.digest("qualifier")
    fields.text("basis")
    fields.end()
    if qualifier != keys.fingerprint(key) or [one.name for one in said.subjects] != ["test-set"]:
        raise PeerError(Reason.BAD_STATEMENT, "expected a qualifier that signs for itself, and one test set")
    return qualifier, said.subjects[0].sha256


def qualified(sides: Sequence[bytes], qualifiers: Sequence[Digest], root: Digest) -> Digest | None:
    """The first qualifier named in the terms that vouches for the set; None where nobody does."""
    for sealed in sides:
        try:
            qualifier, vouched = read_qualification(sealed)
        except ParleyError:
            continue
        if vouched == root and qualifier in qualifiers:
            return qualifier
    return None
