"""Every command that reads a record takes every record of the vectors: honest, cheating, sealed, audited or broken."""

import base64
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from parley_attestation.errors import PeerError, Reason
from parley_cli.main import parley

VECTORS = Path(__file__).parent.parent.parent / "spec/vectors"
RECORDS = [
    pytest.param(test, id=f"{path.stem}-{test['id']}")
    for path in sorted(VECTORS.glob("transcripts*.json"))
    for test in json.loads(path.read_text())["tests"]
]


@pytest.mark.parametrize("test", RECORDS)
def test_check_show_and_report_say_something_about_it(tmp_path, test):
    record = tmp_path / "record.parley"
    record.write_bytes(base64.b64decode(test["record"]))
    for words in (["check"], ["check", "--json"], ["show"], ["report", "--out", str(tmp_path / "page.html")]):
        found = CliRunner().invoke(parley, [*words, str(record)])
        if isinstance(found.exception, PeerError):
            assert "state" not in test, "a file that is whole"
            assert found.exception.reason is Reason.MALFORMED
        else:
            assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
            assert found.output or words[0] == "report"
