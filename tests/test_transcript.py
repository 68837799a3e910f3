"""The record file: any change is refused with its place; redaction hides content and nothing else."""

import io
import re
import struct
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import Exercise, Plan, sums
from parley_attestation.edge.records import write_record
from parley_attestation.encoding import MAX_BLOB, u64
from parley_attestation.envelope import Envelope, Signature
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.judge import judge
from parley_attestation.session.tables import State
from parley_attestation.session.turns import Withheld, blob_digest
from parley_attestation.transcript import (
    MAGIC,
    Entry,
    Kind,
    RecordReader,
    RecordWriter,
    decode_envelope,
    encode_envelope,
    redact,
    withheld,
)
from record_kit import entries, written

PLACE = re.compile(r"(entry \d+ (\(\w+\) )?at )?byte \d+")


@pytest.fixture(scope="module", name="held")
def _held(tmp_path_factory):
    """A real exercise and the bytes of its record."""
    folder = tmp_path_factory.mktemp("record")
    exercise = Exercise(folder, items=sums(10), terms_changes={"plan": Plan(1, 4, (("", 10),))})
    v, _ = exercise.run()
    write_record(v.journal, v.row, folder / "record.parley")
    return exercise, v, (folder / "record.parley").read_bytes()


def judged(raw, exercise):
    return judge(io.BytesIO(raw), list(exercise.pins.values()))


def refused_with_its_place(raw):
    with pytest.raises(PeerError, match=PLACE) as caught:
        judge(io.BytesIO(raw))
    assert caught.value.reason is Reason.MALFORMED
    assert caught.value.blamed is None
    return caught.value.message


def test_the_whole_record_holds(held):
    exercise, v, raw = held
    found = judged(raw, exercise)
    assert found.fault is None
    assert found.pinned
    assert found.unseen == ()
    assert found.verdict.payload() == v.machine.facts.verdict.payload()
    assert written(entries(raw)) == raw


def test_every_single_byte_that_changes_is_refused_with_its_place(held):
    """Every position once, each with another changed bit; the place named is where the entry begins."""
    _, _, raw = held
    starts = [0, *(entry.offset for entry in entries(raw))]
    changed = bytearray(raw)
    for at in range(len(raw)):
        changed[at] ^= 1 << at % 8
        with pytest.raises(PeerError, match=PLACE) as caught:
            deque(RecordReader(io.BytesIO(changed)).entries(), maxlen=0)
        assert caught.value.reason is Reason.MALFORMED
        named = int(re.search(r"byte (\d+)", caught.value.message)[1])
        assert named == max((s for s in starts if s <= at), default=0) or at >= starts[-1]
        changed[at] = raw[at]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_run_of_bytes_that_changes_is_refused_with_its_place(held, data):
    _, _, raw = held
    at = data.draw(st.integers(0, len(raw) - 1))
    other = data.draw(st.binary(min_size=1, max_size=64).filter(lambda b: raw[at : at + len(b)] != b))
    refused_with_its_place(raw[:at] + other + raw[at + len(other) :])


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_record_cut_short_or_extended_is_refused(held, data):
    _, _, raw = held
    cut = data.draw(st.integers(0, len(raw) - 1))
    refused_with_its_place(raw[:cut])
    refused_with_its_place(raw + data.draw(st.binary(min_size=1, max_size=100)))


def test_cutting_at_the_end_of_an_entry_is_noticed(held):
    _, _, raw = held
    for entry in entries(raw):
        assert "without its trailer" in refused_with_its_place(raw[: entry.offset])


def test_an_entry_longer_than_its_kind_may_be_is_refused_before_it_is_read():
    for kind, size in (
        (Kind.BLOB, MAX_BLOB + 33),
        (Kind.ENVELOPE, 1 << 62),
        (Kind.WITHHELD, 41),
        (Kind.END, 9),
    ):
        refused_with_its_place(MAGIC + struct.pack(">BQ", kind, size))


def test_a_kind_that_no_one_knows_is_refused_with_its_place():
    for kind in (0, 99, 255):
        refused_with_its_place(MAGIC + struct.pack(">BQ", kind, 0) + bytes(32))


@pytest.mark.parametrize("raw", [b"", b"P", MAGIC[:-1], MAGIC.replace(b"1", b"2")])
def test_what_is_no_record_is_refused_at_byte_0(raw):
    assert refused_with_its_place(raw).startswith("byte 0")


# -- a forger makes the running digests anew: the signatures and the chain are what holds


def test_two_entries_swapped_never_give_a_valid_record(held):
    exercise, _, raw = held
    found = entries(raw)
    for n in range(len(found) - 1):
        swapped = [*found[:n], found[n + 1], found[n], *found[n + 2 :]]
        result = judged(written(swapped), exercise)
        assert result.fault is not None, n
        assert result.verdict is None
        assert result.fault.blamed is None, "nobody signed this order"


def test_an_entry_dropped_never_gives_a_verdict_and_blames_nobody(held):
    exercise, _, raw = held
    found = entries(raw)
    for n in range(len(found)):
        result = judged(written([*found[:n], *found[n + 1 :]]), exercise)
        last = n >= len(found) - 2  # without the prover's acknowledgement it is a shorter record that holds
        assert result.fault is not None or (last and result.state is not State.FINISHED)
        assert result.fault is None or result.fault.blamed is None


def test_an_entry_doubled_is_refused(held):
    exercise, _, raw = held
    found = entries(raw)
    for n in range(len(found)):
        result = judged(written([*found[: n + 1], *found[n:]]), exercise)
        assert result.fault is not None
        assert result.fault.blamed is None


def test_changed_content_under_new_digests_blames_nobody(held):
    exercise, _, raw = held
    found = entries(raw)
    for n, one in enumerate(found):
        if one.kind is Kind.BLOB:
            body = one.body[:-1] + bytes([one.body[-1] ^ 1])
            changed = [*found[:n], Entry(n, one.kind, body, 0), *found[n + 1 :]]
            result = judged(written(changed), exercise)
            assert result.fault.reason is Reason.STREAM_MISMATCH
            assert result.fault.blamed is None


def test_evidence_that_shows_no_equivocation_blames_nobody(held):
    exercise, _, raw = held
    found = entries(raw)
    again = Entry(0, Kind.EVIDENCE, found[0].body, 0)
    result = judged(written([*found, again]), exercise)
    assert result.fault.reason is Reason.MALFORMED
    assert result.fault.blamed is None
    result = judged(written([*found, Entry(0, Kind.EVIDENCE, b"\0" * 40, 0)]), exercise)
    assert result.fault.blamed is None


def test_an_empty_record_is_no_record_of_anything():
    result = judge(io.BytesIO(written([])))
    assert result.fault.reason is Reason.MALFORMED


# -- redaction


def redacted(raw, items=None):
    out = io.BytesIO()
    count = redact(RecordReader(io.BytesIO(raw)), RecordWriter(out), items)
    return out.getvalue(), count


def test_a_redacted_record_holds_shows_no_content_and_lists_what_it_hides(held):
    exercise, v, raw = held
    hidden, count = redacted(raw)
    units = v.machine.facts.audit.units
    assert count == 3 * len(units)
    for prompt, _ in exercise.items:
        assert prompt not in hidden
    result = judged(hidden, exercise)
    assert result.fault is None
    assert result.unseen == tuple(sorted({u.name[0] for u in units}))
    assert result.verdict is None, "acknowledged, not recomputed"
    derived = v.machine.facts.verdict.digest()
    assert result.acknowledged == {Role.VERIFIER: derived, Role.PROVER: derived}
    assert result.state is State.FINISHED


def test_one_redacted_item_is_listed_and_the_others_are_shown(held):
    exercise, v, raw = held
    item = v.machine.facts.audit.units[2].name[0]
    hidden, count = redacted(raw, {item})
    result = judged(hidden, exercise)
    assert count == 3
    assert result.fault is None
    assert result.unseen == (item,)
    assert result.verdict is None


def test_redacting_twice_or_nothing_changes_nothing(held):
    _, _, raw = held
    hidden, _ = redacted(raw)
    assert redacted(hidden) == (hidden, 0)
    assert redacted(raw, set()) == (raw, 0)


def test_a_redacted_record_cannot_claim_other_content(held):
    """What stands for hidden content is its digest: another one does not fit the signed stream."""
    exercise, _, raw = held
    found = entries(redacted(raw)[0])
    for n, one in enumerate(found):
        if one.kind is Kind.WITHHELD:
            for body, reason in (
                (bytes(32) + one.body[32:], Reason.STREAM_MISMATCH),
                (one.body[:32] + u64(1), Reason.BLOB_MISMATCH),
                (one.body[:39], Reason.MALFORMED),
            ):
                forged = [*found[:n], Entry(n, one.kind, body, 0), *found[n + 1 :]]
                result = judged(written(forged), exercise)
                assert (result.fault.reason, result.fault.blamed) == (reason, None)


def test_a_withheld_entry_reads_back_as_it_was_written():
    blob = bytes(32) + b"content"
    body = blob_digest(blob) + u64(len(blob))
    assert withheld(Entry(0, Kind.WITHHELD, body, 0)) == Withheld(blob_digest(blob), len(blob))


# -- envelopes


envelopes = st.builds(
    Envelope,
    st.text(st.characters(codec="ascii"), min_size=1, max_size=128),
    st.binary(max_size=200),
    st.lists(
        st.builds(Signature, st.binary(max_size=40), st.binary(max_size=70)), min_size=1, max_size=8
    ).map(tuple),
)


@given(envelopes)
def test_an_envelope_reads_back_as_it_was_written(envelope):
    assert decode_envelope(encode_envelope(envelope)) == envelope


@given(st.binary(max_size=200))
def test_any_bytes_are_an_envelope_in_the_one_encoding_or_refused(raw):
    try:
        found = decode_envelope(raw)
    except PeerError:
        return
    assert encode_envelope(found) == raw


@given(envelopes, st.data())
def test_a_changed_envelope_is_another_envelope_or_refused(envelope, data):
    raw = bytearray(encode_envelope(envelope))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = decode_envelope(bytes(raw))
    except PeerError:
        return
    assert found != envelope
    assert encode_envelope(found) == bytes(raw)


# -- writing


def test_a_record_is_never_written_over_another_file(held, tmp_path):
    _, v, raw = held
    path = tmp_path / "record.parley"
    path.write_bytes(b"precious")
    with pytest.raises(LocalError, match="exists already"):
        write_record(v.journal, v.row, path)
    assert path.read_bytes() == b"precious"
    assert [p.name for p in tmp_path.iterdir()] == ["record.parley"]
    path.unlink()
    write_record(v.journal, v.row, path)
    write_record(v.journal, v.row, path)  # the same record again: a restarted command is done, not lost
    assert path.read_bytes() == raw
