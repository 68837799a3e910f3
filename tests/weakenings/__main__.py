"""Weakens the reference implementation's checks one by one and says which tests notice: `make mutants`.

A run traces the tests once, then tries every weakening against the tests that execute its line, quickest
first, and against the suite's cases on their own. Runs in shards; `merge` joins what they found.
"""

import argparse
import contextlib
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from weakenings import ledger
from weakenings.runner import Runner
from weakenings.sampled import sample
from weakenings.sites import MODULES, ROOT, Site, all_sites

CASES = "tests/conformance/suite_cases.py"
TESTS = (
    "tests/session",
    *(
        f"tests/attestation/test_{name}.py"
        for name in (
            "commitment",
            "comparison",
            "ed25519",
            "envelope",
            "graded",
            "keys",
            "merkle",
            "qualification",
            "registration",
            "script",
            "statement",
            "strata",
            "terms_witnesses",
            "verdict_arithmetic",
        )
    ),
    *(f"tests/attestation/evidence/test_evidence_{name}.py" for name in ("compute", "result")),
    *(f"tests/attestation/log/test_log_{name}.py" for name in ("panel", "witness", "witness_state")),
    *(f"tests/attestation/edge/test_{name}.py" for name in ("journal", "witness_service")),
    "tests/test_transcript.py",
    "tests/test_judge_edges.py",
    "tests/vectors",
    "tests/e2e/test_e2e_wire.py",
    "tests/e2e/test_e2e_limits.py",
    *(f"tests/prover/test_prover_{name}.py" for name in ("budget", "policy", "service")),
    "tests/conformance/test_prover_serve.py",
    *(
        f"tests/chamber/test_chamber_{name}.py"
        for name in ("audited", "reexecute", "rules", "run", "service", "session")
    ),
    "tests/verifier/test_verifier_terms.py",
    "tests/verifier/test_report_build.py",
    CASES,
)
_QUIET = ("-W", "ignore::pytest.PytestAssertRewriteWarning")  # hypothesis is set up before pytest starts
BUDGET_SECONDS = 12.0  # of tests against one weakening; the quickest come first


def collected(run: Callable[[Runner], None], paths: Sequence[str]) -> None:
    """Collect tests in this process and hand them to `run`."""
    settings.register_profile(
        "weakenings",
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("weakenings")
    words = ["-p", "no:cacheprovider", "-p", "no:xdist", "-q", *_QUIET, *(str(ROOT / path) for path in paths)]
    failures: list[BaseException] = []

    def guarded(runner: Runner) -> None:
        try:
            run(runner)
        except BaseException as error:
            failures.append(error)
            raise

    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = pytest.main(words, plugins=[Runner(guarded)])
    if failures:
        raise failures[0]
    if code not in {0, 5}:
        sys.exit(f"the tests could not be collected:\n{said.getvalue()[-4000:]}")


def trace(out: Path, jobs: int, paths: Sequence[str]) -> None:
    """Write which test runs which lines; of some `paths` alone, beside what is there. Fails where a test fails."""

    def run(runner: Runner) -> None:
        found: dict[str, Any] = json.loads(out.read_text()) if paths and out.exists() else {}
        for done, (name, result) in enumerate(runner.trace(jobs), 1):
            found[name] = result
            _progress(done, len(runner.items))
        failed = sorted(name for name, one in found.items() if one is None or one["failed"])
        out.write_text(json.dumps({name: one for name, one in found.items() if name not in failed}))
        if failed:  # the others are kept: `trace --paths` of these alone goes on
            sys.exit("these tests fail unweakened, or take too long: " + ", ".join(failed[:10]))

    collected(run, paths or TESTS)


def plan(
    site: Site,
    traced: dict[str, Any],
    *,
    cases: bool,
    budget: float = BUDGET_SECONDS,
    killer: str | None = "",
) -> tuple[Site, list[str], float]:
    """The tests that run the line of a weakening, up to a budget of seconds: its last killer, then the quickest."""
    at = [MODULES.index(site.module), site.reached]
    names = [n for n, one in traced.items() if n.startswith(CASES) is cases and at in one["lines"]]
    names.sort(key=lambda n: (n != killer, traced[n]["seconds"], n))
    chosen, total = [], 0.0
    for name in names:
        total += traced[name]["seconds"]
        if total > budget:
            break
        chosen.append(name)
    return site, chosen, total


def try_out(traced: dict[str, Any], sites: Sequence[Site], out: Path, how: argparse.Namespace) -> None:
    """Try weakenings and write how each came out; what `out` holds already is not tried again.

    With `how.again`, what survived so far is tried again, under the present budget.
    """
    found: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {}
    known = ledger.read().results
    done_with = ("tests", "cases")

    def due(site: Site, stage: str) -> bool:
        one = found.get(site.id, {})
        if how.again:
            return not any(one.get(name) for name in done_with)
        return stage not in one

    def run(runner: Runner) -> None:
        began = time.monotonic()
        for stage in done_with:
            plans = {
                s.id: plan(
                    s,
                    traced,
                    cases=stage == "cases",
                    budget=how.budget,
                    killer=known.get(s.id, {}).get(stage),
                )
                for s in sites
                if due(s, stage)
            }
            for key, (_, names, _) in plans.items():
                if not names:
                    found.setdefault(key, {})[stage] = None
            plans = {key: one for key, one in plans.items() if one[1]}
            for done, (key, result) in enumerate(_swapped(runner, how.jobs, plans), 1):
                killer = ledger.HUNG if result is None else result["killer"]
                found.setdefault(key, {})[stage] = killer
                out.write_text(json.dumps(found, indent=1))
                _progress(done, len(plans), began)
        out.write_text(json.dumps(found, indent=1))

    collected(run, TESTS)


def sampled(count: int, explained: int, jobs: int) -> list[str]:
    """Try a sample; what is wrong then."""
    known = ledger.read()
    source = b"".join((ROOT / module).read_bytes() for module in MODULES)
    chosen = sample(all_sites(), known, source, count, explained)
    found: list[str] = []

    def run(runner: Runner) -> None:
        found.extend(
            chosen.problems(runner.items, lambda plans: _swapped(runner, jobs, plans), known.explained)
        )

    collected(run, chosen.files)
    return found


def _swapped(runner: Runner, jobs: int, plans: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, result in runner.against(jobs, dict(plans)):
        assert result is None or result["swapped"], f"{key}: no live function has this code"
        yield key, result


def _progress(done: int, of: int, began: float | None = None) -> None:
    if done % 20 and done != of:
        return
    spent = "" if began is None else f", {time.monotonic() - began:.0f} s"
    sys.stderr.write(f"\r{done} of {of}{spent} ")
    sys.stderr.flush()


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="weakenings", description=__doc__)
    parser.add_argument("what", choices=("trace", "try", "merge", "all", "sample", "readme"))
    parser.add_argument("--work", type=Path, default=ROOT / "build/weakenings", help="where results are kept")
    parser.add_argument("--shard", default="1/1", help="K/N: every Nth weakening, from the Kth")
    parser.add_argument("--only", default="", help="weakenings whose id contains this")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--paths", nargs="*", default=[], help="trace these tests alone, beside the others")
    parser.add_argument("--budget", type=float, default=BUDGET_SECONDS, help="seconds of tests a weakening")
    parser.add_argument("--again", action="store_true", help="try what survived so far again")
    parser.add_argument("--count", type=int, default=16, help="recorded killers that a sample asks again")
    parser.add_argument("--explained", type=int, default=4, help="explained weakenings that a sample tries")
    wanted = parser.parse_args()
    if wanted.what == "readme":
        ledger.fill(ROOT / "README.md")
        return 0
    if wanted.what == "sample":
        return gate(sampled(wanted.count, wanted.explained, wanted.jobs))
    wanted.work.mkdir(parents=True, exist_ok=True)
    if wanted.what == "merge":
        return gate(ledger.merge(ledger.found_in(wanted.work), whole=True))
    return gate(tried(wanted))


def tried(wanted: argparse.Namespace) -> list[str]:
    """Trace and try what the command line names; what is wrong then."""
    traced = wanted.work / "trace.json"
    nth, of = map(int, wanted.shard.split("/"))
    sites = [s for s in all_sites()[nth - 1 :: of] if wanted.only in s.id]
    out = wanted.work / f"found-{nth}-of-{of}.json"
    if wanted.what == "all":
        out.unlink(missing_ok=True)
    if wanted.what in {"trace", "all"}:
        trace(traced, wanted.jobs, wanted.paths)
    if wanted.what in {"try", "all"}:
        try_out(json.loads(traced.read_text()), sites, out, wanted)
    if wanted.what == "all" and of == 1:
        return ledger.merge(json.loads(out.read_text()), whole=not wanted.only)
    found = json.loads(out.read_text()) if out.exists() else {}
    return ledger.wrong({name: ledger.killer_of(row) for name, row in found.items()}, ledger.read().explained)


def gate(problems: Sequence[str]) -> int:
    """Say what is wrong and how to mend it; the exit code."""
    said = [*problems, "", ledger.ADVICE] if problems else [ledger.figures(ledger.read())]
    sys.stdout.write("".join(f"{line}\n" for line in said))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
