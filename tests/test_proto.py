"""The wire definitions are linted, and the checked-in code is what they generate."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
UV = Path(sys.executable).parent / "uv"
# The same pinned generator as `make proto`.
GENERATOR = ("--with", "grpcio-tools==1.71.2", "--with", "setuptools<81")


def test_regenerating_the_protobuf_code_gives_no_difference(tmp_path):
    sources = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "proto").rglob("*.proto"))
    subprocess.run(
        [UV, "run", "--quiet", "--isolated", "--no-project", *GENERATOR, "python", "-m", "grpc_tools.protoc"]
        + [
            "-I",
            "proto",
            f"--python_out={tmp_path}",
            f"--pyi_out={tmp_path}",
            f"--grpc_python_out={tmp_path}",
        ]
        + sources,
        cwd=ROOT,
        check=True,
    )
    made = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*_pb2*")}
    kept = {
        p.relative_to(ROOT / "proto"): p.read_bytes()
        for p in (ROOT / "proto").rglob("*_pb2*")
        if "__pycache__" not in p.parts
    }
    assert made == kept


@pytest.mark.skipif(shutil.which("npm") is None, reason="buf comes from npm, which is not on this machine")
def test_the_protobuf_files_pass_the_linter():
    if not (ROOT / "node_modules/.bin/buf").exists():
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=ROOT, check=True)
    subprocess.run(["node_modules/.bin/buf", "lint", "proto"], cwd=ROOT, check=True)
    subprocess.run(["node_modules/.bin/buf", "format", "proto", "-d", "--exit-code"], cwd=ROOT, check=True)
