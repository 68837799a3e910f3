"""Room: the edge. The exercises on one set and one model that a party's own journal knows; both roles call it."""

from parley_attestation.edge.journal import Journal
from parley_attestation.encoding import Digest
from parley_attestation.envelope import from_json
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.session import messages as m
from parley_attestation.spending import Spent, spent
from parley_attestation.statement import parse
from parley_attestation.terms import Terms, exercise_id, read_terms

PROPOSE, ACCEPT = 3, 4  # slots of a session


def spent_before(journal: Journal, role: Role, wanted: Terms, own: Digest | None = None) -> tuple[Spent, ...]:
    """What accepted open exercises with the same set root, model claim and parties have risked, oldest first.

    Args:
        journal: The party's journal.
        role: Its role in these sessions.
        wanted: Terms of the exercise that comes.
        own: Its id, to leave it out; None where it has none yet.
    """
    found: dict[Digest, Spent] = {}
    for row in journal.sessions(role):
        proposed, answered = journal.envelope(row, PROPOSE), journal.envelope(row, ACCEPT)
        if proposed is None or answered is None or answered.payload_type != m.payload_type("accept"):
            continue
        _, body = m.read("propose", proposed.payload)
        assert isinstance(body, m.Propose)
        said = parse(from_json(body.terms).payload)
        terms, exercise = read_terms(said), exercise_id(said)
        if terms.mode == "open" and exercise != own and _same(terms) == _same(wanted):
            found.setdefault(exercise, spent(exercise, terms.sampled_claims))
    return tuple(found.values())


def _same(terms: Terms) -> tuple[Digest, ...]:
    return terms.test_set.root, terms.model_claim, terms.prover, terms.verifier


def require_prior(terms: Terms, known: tuple[Spent, ...]) -> None:
    """Refuse terms that leave out an exercise the own journal knows, or state other risks of it.

    Raises:
        PeerError: BAD_TERMS, naming it.
    """
    for one in known:
        if one not in terms.prior:
            raise PeerError(
                Reason.BAD_TERMS,
                f"the terms do not name exercise {one.exercise.hex()} on this set and model with its risks",
            )
