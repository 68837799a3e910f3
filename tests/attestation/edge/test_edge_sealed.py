"""A party between hostile chambers: whatever they say, it is not they who make it fall silent."""

from types import SimpleNamespace

import pytest
from parley_attestation.encoding import Bytes32
from parley_attestation.errors import PeerError, Reason, printable
from parley_attestation.session.messages import MAX_DETAIL
from parley_attestation.session.tables import State
from sealed_kit import SealedParties, StatedChamber

# As `transport.to_error` words a refusal: characters that cannot be printed grow when they are escaped.
WORDS = f"the peer refused: {printable(chr(0x10FFFF) * 300, 300)}"


@pytest.mark.parametrize(
    ("call", "state"),
    [("open", State.ABORTED), ("upload", State.REFUSED), ("receipt", State.ABORTED)],
)
def test_a_long_refusal_of_a_chamber_is_passed_on_cut_and_does_not_silence_the_party(tmp_path, call, state):
    chamber = StatedChamber()

    def refuses(*_):
        raise PeerError(Reason.BAD_SEAL, WORDS)

    setattr(chamber, call, refuses)
    v, p = SealedParties(tmp_path, (chamber,)).run()
    assert v.machine.state is p.machine.state is state
    assert len(v.machine.facts.ending.detail) == MAX_DETAIL


def test_no_key_is_released_to_a_chamber_key_that_everybody_knows_the_secret_of(tmp_path):
    """A point of low order: what is encapsulated to it is known to all, and a party says so and refuses."""
    chamber = StatedChamber()
    chamber.hpke = SimpleNamespace(public=Bytes32(bytes(32)))
    v, p = SealedParties(tmp_path, (chamber,)).run()
    assert v.machine.state is p.machine.state is State.REFUSED
    assert v.machine.facts.ending.reason == Reason.BAD_SEAL
    assert v.machine.facts.released == {}
