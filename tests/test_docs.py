"""What is generated from the code is what is checked in, and the README's commands exist."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import click
import pytest
from parley_cli.main import parley

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", ["cli", "configuration"])
def test_the_generated_pages_are_up_to_date(name):
    made = runpy.run_path(str(ROOT / "docs/generate.py"))[name]()
    assert made == (ROOT / f"docs/{name}.md").read_text(), "run make docs"


def test_every_parley_command_in_the_readme_parses():
    blocks = re.findall(r"^\$ parley (.+)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(blocks) >= 8
    for line in blocks:
        words = re.findall(r"'[^']*'|\"[^\"]*\"|\S+", line)
        command, context = parley, click.Context(parley)
        while isinstance(command, click.Group):
            command = command.get_command(context, words.pop(0))
            assert command is not None, line
        options = {name for p in command.params for name in p.opts}
        given = {w for w in words if w.startswith("--")}
        assert given <= options, line
        needed = [p for p in command.params if isinstance(p, click.Option) and p.required]
        assert all(given & set(p.opts) for p in needed), line


def test_help_imports_no_heavy_library():
    code = (
        "import sys\nfrom parley_cli.main import parley\n"
        "try: parley(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'grpc', 'cryptography', 'pydantic', 'numpy', 'onnxruntime', 'nacl', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
