"""Checks every lemma of lemmas.toml and every mutant of it; prints a table; exits non-zero on a deviation.

    python spec/formal/run.py [--jobs N] [--only WORD] [--traces]

A lemma must hold, each of its mutants and probes must fail. A tool that is not installed is a deviation
where CI is set in the environment, and is said otherwise. `--traces` writes the traces anew.
"""

import argparse
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TRACES = HERE / "traces.jsonl"
SEED, SAMPLES, KEPT, STEPS = "7", 100, 12, 24
MUTANT_SAMPLES, MUTANT_KEPT = 60, 4
SECONDS = 120  # for one check; all together take a fraction of it


class Broken(Exception):  # noqa: N818 - says that a check gave no answer
    """A tool gave no answer."""


@dataclass(frozen=True, slots=True)
class Lemma:
    """One entry of the index."""

    id: str
    says: str
    tool: str
    file: str
    property: str
    requirements: tuple[str, ...]
    mutants: tuple[str, ...]
    setting: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()


@dataclass(slots=True)
class Row:
    """What was seen of one lemma."""

    lemma: Lemma
    holds: bool | None = None
    survived: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether all is as the index says."""
        return self.holds is True and not self.survived and not self.trouble


def lemmas() -> list[Lemma]:
    """The index."""
    entries = tomllib.loads((HERE / "lemmas.toml").read_text())["lemma"]
    lists = ("requirements", "mutants", "probes")
    return [
        Lemma(
            setting=tuple(one.pop("with", ())),
            **{key: tuple(value) if key in lists else value for key, value in one.items()},
        )
        for one in entries
    ]


def _run(command: list[str], folder: str | Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    return done.stdout + done.stderr


def eprover(lemma: Lemma, switches: tuple[str, ...], goal: str = "") -> bool:
    """Saturate the clauses: satisfiable means that the goal cannot be derived."""
    chosen = {goal or lemma.property, *switches}
    kept = []
    for line in (HERE / lemma.file).read_text().splitlines():
        mark = re.search(r"% (only|unless) (\w+)$", line)
        if mark is None or (mark[1] == "only") is (mark[2] in chosen):
            kept.append(line)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "clauses.p").write_text("\n".join(kept))
        said = _run(["eprover", "--tptp3-format", "-s", "--auto", "--cpu-limit=60", "clauses.p"], folder)
    status = re.search(r"SZS status (\w+)", said)
    if status is None or status[1] not in {"Satisfiable", "Unsatisfiable"}:
        raise Broken(said[-200:])
    return status[1] == "Satisfiable"


_verifiers: dict[tuple[str, ...], Path] = {}
_locks: defaultdict[tuple[str, ...], threading.Lock] = defaultdict(threading.Lock)
_built = tempfile.TemporaryDirectory()


def _verifier(lemma: Lemma, switches: tuple[str, ...]) -> Path:
    """The compiled verifier for a setting; the properties of one setting share it."""
    key = (lemma.file, *lemma.setting, *switches)
    with _locks[key]:
        if key not in _verifiers:
            folder = Path(tempfile.mkdtemp(dir=_built.name))
            said = _run(["spin", "-a", *(f"-D{one}" for one in key[1:]), str(HERE / lemma.file)], folder)
            said += _run(["gcc", "-O0" if switches else "-O2", "-w", "-DNOREDUCE", "-opan", "pan.c"], folder)
            if not (folder / "pan").exists():
                raise Broken(said[-300:])
            _verifiers[key] = folder
    return _verifiers[key]


def spin(lemma: Lemma, switches: tuple[str, ...]) -> bool:
    """Search all states for a run that breaks the formula."""
    fair = ["-f"] if lemma.property in {"ends", "both_finish"} else []
    said = _run(["./pan", "-a", *fair, "-m100000", "-N", lemma.property], _verifier(lemma, switches))
    errors = re.search(r"errors: (\d+)", said)
    if errors is None or "max search depth too small" in said:
        raise Broken(said[-300:])
    return errors[1] == "0"


def spacer(lemma: Lemma, switches: tuple[str, ...]) -> bool:
    """Ask whether the bad state of the clauses is unreachable."""
    module = importlib.import_module(lemma.file.removesuffix(".py"))  # needs z3, which may be missing
    return bool(module.check(lemma.property, lemma.setting[0], frozenset(switches)))


@cache
def simulated(file: str, invariant: str, switches: tuple[str, ...]) -> tuple[bool, str]:
    """Whether the invariant held in the simulator's runs, and the first of them in compact form."""
    samples, kept = (MUTANT_SAMPLES, MUTANT_KEPT) if switches else (SAMPLES, KEPT)
    with tempfile.TemporaryDirectory() as folder:
        return _simulate(Path(folder), file, invariant, switches, (samples, kept))


def _simulate(
    folder: Path, file: str, invariant: str, switches: tuple[str, ...], counts: tuple[int, int]
) -> tuple[bool, str]:
    import replay  # noqa: PLC0415 - needs the tests' helpers

    source = (HERE / file).read_text()
    marked = 'pure val BROKEN = "nothing"'
    if source.count(marked) != 1:
        raise Broken(f"{file}: the switch is gone")
    (folder / file).write_text(
        source.replace(marked, marked.replace("nothing", " ".join(switches) or "nothing"))
    )
    said = _run(
        [
            _quint(),
            "run",
            file,
            "--backend=typescript",
            "--verbosity=1",
            "--main=session",
            f"--seed={SEED}",
            f"--max-samples={counts[0]}",
            f"--max-steps={STEPS}",
            f"--n-traces={counts[1]}",
            f"--invariant={invariant}",
            "--out-itf=t{seq}.itf.json",
        ],
        folder,
    )
    ok = "[ok]" in said
    if not ok and "[violation]" not in said:
        raise Broken(said[-300:])
    found = sorted(
        Path(folder).glob("t*.itf.json"), key=lambda p: int(re.sub(r"\D", "", p.name.split(".")[0]))
    )
    return ok, replay.compact([json.loads(path.read_text()) for path in found])


def quint(lemma: Lemma, switches: tuple[str, ...]) -> bool:
    """Simulate: an invariant that breaks in some run fails. The traces in the folder must be these."""
    ok, traces = simulated(lemma.file, lemma.property, switches)
    if not switches and traces != TRACES.read_text():
        raise Broken("the checked-in traces are not those of the model: run with --traces")
    return ok


def replayed(lemma: Lemma, switches: tuple[str, ...]) -> bool:
    """Replay traces against the implementation: the checked-in ones, or fresh ones of a mutant."""
    import replay  # noqa: PLC0415 - needs the tests' helpers

    text = simulated(lemma.file, lemma.property, switches)[1] if switches else TRACES.read_text()
    try:
        for states in replay.read(text):
            replay.replay(states)
    except replay.Mismatch:
        return False
    return True


def _quint() -> str:
    return os.environ.get("QUINT") or str(ROOT / "node_modules/.bin/quint")


@dataclass(frozen=True, slots=True)
class Tool:
    """How a tool is asked, and whether it is there."""

    ask: Callable[[Lemma, tuple[str, ...]], bool]
    there: Callable[[], bool]
    get: str


TOOLS = {
    "eprover": Tool(eprover, lambda: bool(shutil.which("eprover")), "Debian: eprover"),
    "spin": Tool(spin, lambda: bool(shutil.which("spin") and shutil.which("gcc")), "Debian: spin, gcc"),
    "spacer": Tool(spacer, lambda: find_spec("z3") is not None, "PyPI: z3-solver"),
    "quint": Tool(quint, lambda: bool(shutil.which(_quint())), "npm ci (Node.js 18 or later)"),
    "replay": Tool(replayed, lambda: bool(shutil.which(_quint())), "npm ci (Node.js 18 or later)"),
}
ALONE = ("spacer", "quint", "replay")  # one after the other: z3 has one context, and runs are shared


def examine(lemma: Lemma) -> Row:
    """Check a lemma, its mutants and its probes."""
    row, started, ask = Row(lemma), time.monotonic(), TOOLS[lemma.tool].ask
    try:
        row.holds = ask(lemma, ())
        row.survived = [one for one in lemma.mutants if ask(lemma, tuple(one.split()))]
        row.survived += [one for one in lemma.probes if eprover(lemma, (), one)]
    except (Broken, ValueError, subprocess.TimeoutExpired) as error:
        row.trouble.append(str(error))
    row.seconds = time.monotonic() - started
    return row


def _show(row: Row) -> None:
    lemma = row.lemma
    fallen = len(lemma.mutants) + len(lemma.probes) - len(row.survived)
    verdict = "holds" if row.holds else "FAILS" if row.holds is False else "no answer"
    print(f"{lemma.id:32} {lemma.tool:8} {verdict:9} {fallen:2} of {len(lemma.mutants) + len(lemma.probes):2}"
          f" broken variants fail {row.seconds:6.1f} s", flush=True)  # fmt: skip
    for one in row.survived:
        print(f"    SURVIVED: {one}")
    for one in row.trouble:
        print(f"    {one}")


def main() -> int:
    """Run everything."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--only", default="", help="lemmas whose id or tool has this in it")
    options.add_argument("--traces", action="store_true", help="write the traces of the Quint model anew")
    chosen = options.parse_args()
    sys.path.insert(0, str(HERE))
    started = time.monotonic()
    todo = [one for one in lemmas() if chosen.only in one.id or chosen.only in one.tool]
    if chosen.traces:
        lemma = next(one for one in todo if one.tool == "quint")
        TRACES.write_text(simulated(lemma.file, lemma.property, ())[1])
    missing = {name: tool.get for name, tool in TOOLS.items() if not tool.there()}
    for name, get in missing.items():
        print(f"{name} is not installed ({get}); its lemmas are not checked")
    todo = [one for one in todo if one.tool not in missing]
    rows: list[Row] = []
    with ThreadPoolExecutor(max(1, chosen.jobs)) as pool, ThreadPoolExecutor(1) as alone:
        waiting = [(alone if one.tool in ALONE else pool).submit(examine, one) for one in todo]
        for one in waiting:
            rows.append(one.result())
            _show(rows[-1])
    bad = sum(not row.good for row in rows)
    print(f"{len(rows)} lemmas, {bad} deviations, {time.monotonic() - started:.0f} s")
    return 1 if bad or (missing and os.environ.get("CI")) else 0


if __name__ == "__main__":
    sys.exit(main())
