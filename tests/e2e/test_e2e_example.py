"""The example with an OpenAI-compatible endpoint, run as its README says."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_openai_example_ends_in_a_record_that_checks(tmp_path):
    done = subprocess.run(
        ["sh", "examples/openai_endpoint/run.sh", str(tmp_path / "exercise")],
        cwd=ROOT,
        env=os.environ | {"PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "VALID, assurance declared" in done.stdout
    assert (tmp_path / "exercise/record.parley").exists()
