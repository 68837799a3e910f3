"""The second program that decides records again, as tests call it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "conformance" / "recompute" / "record.mjs"


def node(document):
    program = shutil.which("node")
    if program is None:
        pytest.fail("expected Node.js on PATH: install the Debian package nodejs")
    return subprocess.run(
        [program, PROGRAM],
        input=json.dumps(document),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
