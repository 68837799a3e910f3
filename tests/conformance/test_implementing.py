"""docs/implementing.md, as an implementer would walk through it: every file is written, every command run."""

import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent.parent / "docs/implementing.md"
PORT = "50551"
CODES = {"first": 1, "second": 3}  # of the runs that write there; everything else ends with 0


def _steps():
    """Files as (name, text) and commands as ([line], lines that must be among the output), in order."""
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        if language != "console":
            head, _, text = block.partition("\n")
            yield head.removeprefix("# file: "), text
            continue
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *expected = part.strip().split("\n")
            yield [command], expected


def _without_totals(text):
    """How many cases there are may grow without the page being wrong."""
    return re.sub(r"\d+ passed", "N passed", text)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.mark.slow
def test_every_command_of_the_page_does_what_the_page_says(tmp_path):
    port, commands = _free_port(), 0
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for what, then in _steps():
        if isinstance(what, str):
            (tmp_path / what).write_text(then.replace(PORT, port))
            continue
        line = what[0].replace(PORT, port)
        words = shlex.split(line)
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        shown = done.stdout + done.stderr
        code = CODES.get(words[words.index("--out") + 1], 0) if "run" in words else 0
        assert done.returncode == code, (words, shown)
        lines = _without_totals(shown).split("\n")
        assert [one for one in then if _without_totals(one) not in lines] == [], shown
        commands += 1
    assert commands >= 10
