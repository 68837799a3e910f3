"""Model claims beside plain hashing tools: one pass over a safetensors file in the page cache, one from disk.

`python -m benchmarks.model [GIGABYTES]` (or PARLEY_BENCH_GB; 4 by default). Every tool is a process of its
own; CPU and peak memory are the kernel's account of it (wait4). Tools that are not installed are named.
"""

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

from parley_attestation.encoding import Digest
from parley_attestation.model.claim import read_claim, read_secret
from parley_attestation.model.opened import verify_opening
from parley_attestation.model.request import TensorRequest
from parley_prover.weight_budget import Cap, Caps, WeightBudget
from parley_prover.weight_opening import WeightOpener
from parley_prover.weights import Registration

TENSORS = 363
TOOLS = Path(__file__).parents[1] / "build" / "model-signing-1.1.1"


def main() -> None:
    size = int(float((sys.argv[1:] or [os.environ.get("PARLEY_BENCH_GB", "4")])[0]) * 1e9)
    with tempfile.TemporaryDirectory(dir=os.environ.get("PARLEY_BENCH_DIR")) as name:
        folder = Path(name)
        (folder / "model").mkdir()
        weights = folder / "model" / "model.safetensors"
        write_model(weights, size)
        run(
            [
                sys.executable,
                "-m",
                "parley_cli",
                "keygen",
                folder / "lab",
                "--name",
                "Lab",
                "--role",
                "prover",
            ]
        )
        pem = folder / "key.pem"
        run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", pem])
        tools = commands(folder, weights, pem)
        for where in ("page cache", "disk"):
            print(
                f"{weights.stat().st_size / 1e9:.2f} GB, {TENSORS} tensors, from the {where}; "
                f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
            )
            table(tools, folder, weights, cold=where == "disk")
        opening(folder)


def write_model(path: Path, size: int) -> None:
    """A safetensors file of about `size` bytes in equal tensors of noise."""
    each = max(1, size // TENSORS)
    header = json.dumps(
        {
            f"layer.{n}.weight": {"dtype": "U8", "shape": [each], "data_offsets": [n * each, (n + 1) * each]}
            for n in range(TENSORS)
        }
    ).encode()
    noise = os.urandom(1 << 20)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        left, turn = each * TENSORS, 0
        while left:
            block = (struct.pack("<Q", turn) + noise)[: min(left, 1 << 20)]
            file.write(block)
            left, turn = left - len(block), turn + 1
        file.flush()
        os.fsync(file.fileno())


def commands(folder: Path, weights: Path, pem: Path) -> dict[str, list[object]]:
    parley = [sys.executable, "-m", "parley_cli", "model"]
    register = [*parley, "register", folder / "model", "--party", folder / "lab", "--name", "bench"]
    found: dict[str, list[object]] = {
        "openssl dgst -sha256": ["openssl", "dgst", "-sha256", weights],
        "sha256sum": ["sha256sum", weights],
        "b3sum": ["b3sum", weights],
        "model_signing sign": [
            TOOLS / "bin" / "model_signing",
            "sign",
            "key",
            folder / "model",
            "--signature",
            folder / "ms.sig",
            "--private_key",
            pem,
        ],
        "parley register, 1 core": [*register, "--workers", "1", "--out", folder / "one.claim"],
        "parley register, all cores": [*register, "--out", folder / "all.claim"],
        "parley export-oms (the second pass)": [
            *parley,
            "export-oms",
            folder / "model",
            "--name",
            "m",
            "--key",
            pem,
            "--out",
            folder / "oms",
        ],
    }
    if not (TOOLS / "bin" / "model_signing").exists():
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "-q", "--clear", TOOLS], check=False)
        packages = ["model-signing==1.1.1", "pyOpenSSL"]
        subprocess.run([uv, "pip", "install", "-q", "--python", TOOLS, *packages], check=False)
    return found


def table(tools: dict[str, list[object]], folder: Path, weights: Path, *, cold: bool) -> None:
    print(f"  {'':38}{'CPU s':>8}{'wall s':>8}{'GB/cpu-s':>10}{'x openssl CPU':>15}{'peak MB':>9}")
    size = weights.stat().st_size
    base = 0.0
    for name, command in tools.items():
        if shutil.which(str(command[0])) is None:
            print(f"  {name:38}not installed")
            continue
        for left in (*folder.glob("*.claim*"), folder / "oms"):
            left.unlink(missing_ok=True)
        forget(weights) if cold else warm(weights)
        cpu, wall, peak = run(command)
        base = base or cpu
        print(f"  {name:38}{cpu:8.2f}{wall:8.2f}{size / 1e9 / cpu:10.2f}{cpu / base:15.2f}{peak >> 10:9}")
        if name == "parley register, all cores":
            for end in ("", ".secret"):
                shutil.copy(folder / f"all.claim{end}", folder / f"kept{end}")


def opening(folder: Path) -> None:
    """One tensor of the registered file: time to open and to check, and what travels beside the bytes."""
    claim = read_claim((folder / "kept").read_bytes())
    registration = Registration(claim, read_secret((folder / "kept.secret").read_bytes()))
    everything = Caps(Cap(Fraction(1)), Cap(Fraction(1)))
    begin = time.perf_counter()
    opener = WeightOpener(registration, str(folder / "model"), WeightBudget(folder / "ledger", everything))
    ready = time.perf_counter()
    asked = TensorRequest("model.safetensors", f"layer.{TENSORS // 2}.weight")
    warm(folder / "model" / "model.safetensors")
    start = time.perf_counter()
    raw = opener.open(asked, Digest(bytes(32)))
    opened = time.perf_counter()
    content = verify_opening(claim, asked, raw).content
    checked = time.perf_counter()
    print(
        f"opening of one tensor of {len(content) / 1e6:.1f} MB: once a session {1e3 * (ready - begin):.0f} ms; {1e3 * (opened - start):.0f} ms to open "
        f"(budget, read, own check), {1e3 * (checked - opened):.0f} ms to check, "
        f"{len(raw.encode()) - len(content)} bytes beyond the tensor"
    )


def warm(path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        while file.read(1 << 24):
            pass


def forget(path: Path) -> None:
    """Drop the file's pages from the cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def run(command: list[object]) -> tuple[float, float, int]:
    """Run to the end; CPU seconds, wall seconds, peak memory in KiB."""
    start = time.perf_counter()
    child = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command[0]} failed with {child.returncode}")
    return used.ru_utime + used.ru_stime, time.perf_counter() - start, used.ru_maxrss


if __name__ == "__main__":
    main()
