"""`parley check`: what the parties wrote into their terms cannot speak for the judge."""

from click.testing import CliRunner
from kit import Exercise, metric
from parley_attestation.edge.records import write_record
from parley_cli.record import check
from sealed_kit import SealedParties

FORGED = "VALID, assurance attested"
# Up to the first line and over it; a line of its own; text that runs the other way.
CLAIM_ID = f"a\r\x1b[9A\x1b[2K{FORGED}\n"
SENTENCE = f"nothing\nverdict: COMPLIANT\n\x1b]0;title\x07\u202e{FORGED}"


def printed(end, pins, folder):
    write_record(end.journal, end.row, folder / "record")
    given = [word for pin in pins.values() for word in ("--pin", pin.hex())]
    found = CliRunner().invoke(check, [str(folder / "record"), *given], standalone_mode=False)
    assert found.exception is None
    return found.output


def test_no_line_of_the_judge_comes_from_the_terms(tmp_path):
    changes = {
        "claims": (metric(CLAIM_ID),),
        "scope": ("addition", "sums", (SENTENCE,)),
        "consequences": (SENTENCE, SENTENCE),
    }
    exercise = Exercise(tmp_path, terms_changes=changes)
    v, _ = exercise.run()
    said = printed(v, exercise.pins, tmp_path)
    lines = said.split("\n")
    assert all(character == "\n" or character.isprintable() for character in said)
    assert lines[0] == "VALID, assurance declared"
    assert not any(line.startswith((FORGED, "verdict: COMPLIANT\n")) for line in lines)
    assert sum(line.startswith("verdict: ") for line in lines) == 1
    assert any("\\x1b[9A" in line and FORGED in line for line in lines), "it is shown, for what it is"


def test_a_sealed_verdict_is_printed_line_by_line_too(tmp_path):
    exercise = SealedParties(tmp_path, scope=("addition", "sums", (SENTENCE,)))
    v, _ = exercise.run()
    said = printed(v, exercise.pins, tmp_path)
    assert all(character == "\n" or character.isprintable() for character in said)
    assert sum(line.startswith("verdict: ") for line in said.split("\n")) == 1
