"""The page about a real record, and two records compared."""

import io
import re

import pytest
from cheats import standoff
from kit import Exercise, metric, wrong_every
from parley_attestation.edge.records import write_record
from parley_attestation.errors import Reason, Role
from parley_attestation.judge import judge
from parley_attestation.session.tables import State
from parley_attestation.transcript import RecordReader, RecordWriter, redact
from parley_verifier.compare import agreements, compare
from parley_verifier.report import plot, render
from parley_verifier.report.build import build
from sealed_kit import SealedParties, StatedChamber


def record_of(folder, **how) -> bytes:
    folder.mkdir()
    exercise = Exercise(folder, **how)
    v, _ = exercise.run()
    write_record(v.journal, v.row, folder / "r.parley")
    return (folder / "r.parley").read_bytes()


def page(raw: bytes, pins=()) -> bytes:
    return render(build(judge(io.BytesIO(raw), pins), "r.parley"))


def test_the_page_of_a_record_is_the_same_bytes_twice_and_says_the_verdict_first(tmp_path):
    raw = record_of(tmp_path / "one")
    made = page(raw)
    assert made == page(raw)
    text = made.decode()
    assert text.index("COMPLIANT") < text.index("accuracy")
    assert "unwitnessed" in text
    assert "self-consistent, parties unknown" in text


def test_hostile_text_in_the_terms_is_only_text_on_the_page(tmp_path):
    raw = record_of(
        tmp_path / "one",
        terms_changes={
            "title": "<script>alert(1)</script>",
            "claims": (metric("<img src=x onerror=alert(1)>"),),
        },
    )
    text = page(raw).decode()
    assert "<script" not in text
    assert "<img src=x" not in text


def test_an_incomplete_record_has_a_page_without_a_verdict(tmp_path):
    held = standoff(tmp_path, Role.PROVER, State.CHALLENGED)
    assert b"incomplete" in page(held.record())


def test_two_records_compare_from_result_bits_and_so_do_redacted_ones(tmp_path):
    good, bad = record_of(tmp_path / "a"), record_of(tmp_path / "b", answer=wrong_every(3))
    out = io.BytesIO()
    redact(RecordReader(io.BytesIO(bad)), RecordWriter(out), None)
    for other in (bad, out.getvalue()):
        (row,) = compare(io.BytesIO(good), io.BytesIO(other))
        assert row.shared > 0
        assert row.only_second == 0
        assert row.only_first > 0
    assert row.verdicts[1] == "as acknowledged"


def test_the_verdicts_of_several_evaluators_agree_or_not(tmp_path):
    good, bad = record_of(tmp_path / "a"), record_of(tmp_path / "b", answer=wrong_every(2))
    out = io.BytesIO()
    redact(RecordReader(io.BytesIO(bad)), RecordWriter(out), None)
    hidden = out.getvalue()
    agreed = {
        raws: agreements([io.BytesIO(raw) for raw in raws])[0][1].agreed
        for raws in ((good, good), (good, good, bad), (bad, bad, hidden))
    }
    assert list(agreed.values()) == ["COMPLIANT", None, "VIOLATION"]
    assert agreements([io.BytesIO(hidden)]) == ()


@pytest.mark.parametrize(
    ("chambers", "accept", "words"),
    [
        (
            (StatedChamber(),),
            False,
            "run by a neutral operator, who could read tests and weights; run 1: a receipt",
        ),
        (
            (StatedChamber(run_by="prover", sandbox="none", swap="present"),),
            True,
            "run by the prover, who could read tests and weights; without boxes; memory could be swapped out; run 1",
        ),
        (
            (StatedChamber(refuses=(Reason.BAD_OPENING, Role.VERIFIER)),),
            False,
            "refused (BAD_OPENING), blames the verifier",
        ),
    ],
)
def test_the_page_of_a_sealed_record_says_who_ran_each_chamber(tmp_path, chambers, accept, words):
    v, _ = SealedParties(tmp_path, chambers, accept=accept).run()
    write_record(v.journal, v.row, tmp_path / "r.parley")
    text = page((tmp_path / "r.parley").read_bytes()).decode()
    assert words in text
    assert "opened in the chambers alone; the prover saw none" in text
    assert "every challenge" not in text


def test_a_count_of_all_units_is_a_mark_that_is_seen(tmp_path):
    v, _ = SealedParties(tmp_path, (StatedChamber(successes=60),)).run()
    write_record(v.journal, v.row, tmp_path / "r.parley")
    found = re.search(
        r'class="range" x="(\d+)" y="9" width="(\d+)"', page((tmp_path / "r.parley").read_bytes()).decode()
    )
    assert found
    assert int(found[1]) + int(found[2]) <= plot.BAR_WIDTH
