"""Room: the suite. Hypothesis strategies over the protocol, for the suite's own machines and for others' tests.

They follow the session tables: a step that is added there is drawn here. Everything random is drawn from
Hypothesis, so that a failing example shrinks and repeats. Needs the package `hypothesis`.
"""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from parley.v1 import session_pb2 as pb
from parley_attestation.errors import Role
from parley_attestation.session import messages as m
from parley_attestation.session.tables import State

from parley_conformance.deviations import Deviation, deviations, steps

SHAPES = ("plain", "short", "steady")


def shapes() -> SearchStrategy[str]:
    """Shapes of an exercise (`parley_conformance.world`)."""
    return st.sampled_from(SHAPES)


def states(role: Role) -> SearchStrategy[State]:
    """A step of a role: a state in which it has the word."""
    return st.sampled_from(steps(role))


def faults(role: Role, state: State | None = None) -> SearchStrategy[Deviation]:
    """A single fault of a role, at any of its steps or at one."""
    found = [one for one in deviations(role) if state is None or one.state is state]
    misplaced = [one for one in found if "misplaced" in one.id]
    return st.sampled_from([one for one in found if one not in misplaced]) | st.sampled_from(misplaced)


@st.composite
def flipped(draw: st.DrawFn, honest: bytes) -> bytes:
    """The bytes with one bit changed."""
    at = draw(st.integers(0, len(honest) * 8 - 1))
    changed = bytearray(honest)
    changed[at // 8] ^= 1 << at % 8
    return bytes(changed)


def hostile_envelopes() -> SearchStrategy[pb.Envelope]:
    """Envelopes whose type may be right and whose bytes are not."""
    kinds = st.sampled_from(sorted(m.KINDS)) | st.text(max_size=140)
    signatures = st.builds(pb.Signature, key=st.binary(max_size=40), value=st.binary(max_size=80))
    return st.builds(
        pb.Envelope,
        payload_type=kinds,
        payload=st.binary(max_size=300),
        signatures=st.lists(signatures, max_size=10),
    )


def hostile_frames() -> SearchStrategy[pb.Frame]:
    """Frames of every kind with bytes that no honest party sends."""
    numbers = st.integers(0, 2**64 - 1)
    return st.one_of(
        st.builds(pb.Frame),
        st.builds(pb.Frame, envelope=hostile_envelopes()),
        st.builds(
            pb.Frame, chunk=st.builds(pb.BlobChunk, offset=numbers, data=st.binary(min_size=1, max_size=99))
        ),
        st.builds(pb.Frame, side=st.builds(pb.SideRecord, sealed=st.binary(max_size=99))),
        st.builds(
            pb.Frame,
            resume=st.builds(
                pb.Resume, session_id=st.binary(max_size=40), sequence=numbers, head=st.binary(max_size=40)
            ),
        ),
    )
