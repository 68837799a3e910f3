"""Room: the suite. A pytest plugin: the conformance cases as tests of somebody's own implementation.

With `parley` installed, any of these options adds one test for each case of a role, beside the tests that
pytest finds anyway; without them the plugin does nothing.

    pytest --parley-prover HOST:PORT --parley-party FOLDER --parley-peer CARD
    pytest --parley-verifier HOST:PORT
    pytest --parley-judge-cmd "parley check --json {record} --pin={pin}"
    pytest --parley-witness HOST:PORT --parley-party FOLDER --parley-peer CARD

`--parley-profile extended` adds the extended cases, and for provers and verifiers a Hypothesis state
machine over the session tables (it needs the package `hypothesis`). `--parley-seed` repeats a run;
`--parley-deadline` is the seconds of a session. Tests are named `parley-ROLE::CASE`, so `-k` selects.

A case that does not apply, because its capability is not claimed, is skipped with the reason. For tests
of one's own, `parley_conformance.strategies` exports the Hypothesis strategies, `parley_conformance.
machines` the state machines, and the fixtures `parley_prover` and `parley_verifier` the way to the
implementation: a `harness.Target` and a `roles.verifier.Verifier`.
"""

import contextlib
import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from parley_conformance.cases.base import Case
    from parley_conformance.run import Suite

ROLES = ("prover", "verifier", "judge", "witness")
_OPTIONS = (
    ("--parley-prover", "HOST:PORT", "hold the prover there to the specification"),
    ("--parley-verifier", "HOST:PORT", "hold the verifier behind the harness there to the specification"),
    (
        "--parley-judge-cmd",
        "COMMAND",
        "hold a judge to the specification; see parley_conformance.roles.judge",
    ),
    ("--parley-witness", "HOST:PORT", "hold the witness there to the specification"),
    ("--parley-party", "FOLDER", "the suite's own party, a verifier that the prover has pinned"),
    ("--parley-peer", "CARD", "the card of the prover or the witness"),
    ("--parley-seed", "TEXT", "repeats an earlier run"),
)
HELD = pytest.StashKey[contextlib.ExitStack]()
SUITES = pytest.StashKey[dict[str, "Cases"]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("parley", "conformance to the Parley specification")
    for name, metavar, text in _OPTIONS:
        group.addoption(name, metavar=metavar, default="", help=text)
    group.addoption("--parley-profile", choices=["core", "extended"], default="core", help="which cases run")
    group.addoption("--parley-deadline", type=float, default=30.0, help="seconds of a session")


def pytest_configure(config: pytest.Config) -> None:
    """Hold what is opened until the end of the run."""
    config.stash[HELD] = contextlib.ExitStack()
    config.stash[SUITES] = {}


def pytest_unconfigure(config: pytest.Config) -> None:
    """Hang up."""
    config.stash[HELD].close()


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add a test for each case of the roles that are asked for."""
    for role in ROLES:
        made = _cases(session, config, role)
        if made is not None:
            config.stash[SUITES][role] = made
            items.extend(made.collect())


def _cases(session: pytest.Session, config: pytest.Config, role: str) -> "Cases | None":
    option = "--parley-judge-cmd" if role == "judge" else f"--parley-{role}"
    where = config.getoption(option)
    if not where:
        return None
    node: Cases = Cases.from_parent(session, name=f"parley-{role}", nodeid=f"parley-{role}")
    node.role, node.suite = role, _MAKE[role](where, config)
    return node


def _prover(where: str, config: pytest.Config) -> "Suite":
    from parley_attestation.edge import party  # noqa: PLC0415 - nothing is imported before it is needed

    from parley_conformance.cases import PROVER  # noqa: PLC0415
    from parley_conformance.harness import Target  # noqa: PLC0415
    from parley_conformance.requirements import REQUIREMENTS  # noqa: PLC0415
    from parley_conformance.run import Suite  # noqa: PLC0415

    own, card = _given(config)
    peer = party.read_card(card).model_copy(update={"endpoint": where})
    seconds = config.getoption("--parley-deadline")
    return Suite(
        "prover",
        REQUIREMENTS,
        PROVER,
        lambda seed, folder: Target(party.load(own), peer, seed, seconds, folder),
    )


def _verifier(where: str, config: pytest.Config) -> "Suite":
    from parley_conformance.roles.verifier_cases import suite  # noqa: PLC0415

    return suite(where, config.getoption("--parley-deadline"))


def _judge(line: str, config: pytest.Config) -> "Suite":
    from parley_conformance.roles.judge_cases import suite  # noqa: PLC0415

    return suite(line, config.getoption("--parley-deadline"))


def _witness(where: str, config: pytest.Config) -> "Suite":
    from parley_attestation.edge import party  # noqa: PLC0415
    from parley_attestation.edge.witness_client import Address  # noqa: PLC0415

    from parley_conformance.roles.witness_cases import suite  # noqa: PLC0415

    own, card = _given(config)
    peer = party.read_card(card).model_copy(update={"endpoint": where})
    return suite(Address.of_card(peer, party.load(own)), config.getoption("--parley-deadline"))


def _given(config: pytest.Config) -> tuple[Path, Path]:
    folder, card = config.getoption("--parley-party"), config.getoption("--parley-peer")
    if not folder or not card:
        raise pytest.UsageError("this role needs --parley-party and --parley-peer as well")
    return Path(folder), Path(card)


_MAKE: dict[str, Callable[[str, pytest.Config], "Suite"]] = {
    "prover": _prover,
    "verifier": _verifier,
    "judge": _judge,
    "witness": _witness,
}


class Cases(pytest.Collector):
    """The cases of one role; the implementation is reached when the first of them runs."""

    role: str
    suite: "Suite"
    _subject: Any = None

    def collect(self) -> list[pytest.Item]:
        """One test a case."""
        extended = self.config.getoption("--parley-profile") == "extended"
        made: list[pytest.Item] = []
        for case in self.suite.cases:
            if case.profile == "core" or extended:
                item: CaseItem = CaseItem.from_parent(self, name=case.id)
                item.case = case
                made.append(item)
        if extended and self.role in {"prover", "verifier"}:
            made.append(MachineItem.from_parent(self, name="state-machine"))
        return made

    def subject(self) -> Any:
        """The way to the implementation, the same for all cases."""
        if self._subject is None:
            held = self.config.stash[HELD]
            folder = held.enter_context(tempfile.TemporaryDirectory(prefix="parley-conformance-"))
            seed = self.config.getoption("--parley-seed") or secrets.token_hex(16)
            self._subject = self.suite.open(seed, Path(folder))
            held.callback(self._subject.close)
        return self._subject


class CaseItem(pytest.Item):
    """One case."""

    case: "Case"

    def runtest(self) -> None:
        """Run it; a case whose capability is not claimed is skipped."""
        from parley_conformance.harness import Skip  # noqa: PLC0415

        parent = self.parent
        assert isinstance(parent, Cases)
        subject = parent.subject()
        if self.case.capability and self.case.capability not in subject.capabilities:
            pytest.skip(f"the {self.case.capability} capability is not claimed")
        try:
            self.case.run(subject)
        except Skip as skip:
            pytest.skip(str(skip))
        finally:
            subject.release()

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What the case found, without the suite's own stack."""
        from parley_attestation.errors import ParleyError  # noqa: PLC0415

        from parley_conformance.harness import Failure  # noqa: PLC0415

        if isinstance(excinfo.value, Failure | ParleyError):
            named = " ".join(self.case.requirements)
            return f"{self.case.what}: {excinfo.value}\nrequirements: {named}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the test is said to stand."""
        return Path(__file__), None, f"{self.parent.name if self.parent else ''}::{self.name}"


class MachineItem(pytest.Item):
    """The Hypothesis state machine of a role."""

    def runtest(self) -> None:
        """Run it."""
        from parley_conformance import machines  # noqa: PLC0415

        parent = self.parent
        assert isinstance(parent, Cases)
        machine = machines.ProverMachine if parent.role == "prover" else machines.VerifierMachine
        machines.check(machine, parent.subject())

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the test is said to stand."""
        return Path(__file__), None, f"{self.parent.name if self.parent else ''}::{self.name}"


def _fixture(request: pytest.FixtureRequest, role: str) -> Iterator[Any]:
    made = request.config.stash[SUITES].get(role)
    if made is None:
        pytest.skip(f"no --parley-{role} was given")
    subject = made.subject()
    yield subject
    subject.release()


@pytest.fixture
def parley_prover(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The prover under test, a `parley_conformance.harness.Target`."""
    yield from _fixture(request, "prover")


@pytest.fixture
def parley_verifier(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The verifier under test, a `parley_conformance.roles.verifier.Verifier`."""
    yield from _fixture(request, "verifier")
