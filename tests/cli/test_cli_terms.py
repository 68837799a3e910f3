"""`parley terms lint` and `diff` on real sealed terms, with a claim whose name would be markup."""

from dataclasses import replace
from fractions import Fraction

import pytest
from click.testing import CliRunner
from kit import MemorySet, make_terms, metric, model_claim, side, sums
from parley_attestation import statement
from parley_attestation.errors import PeerError, Reason, Role
from parley_cli.terms import terms as command

VERIFIER, PROVER = side(Role.VERIFIER), side(Role.PROVER)
TESTS = MemorySet(VERIFIER, sums(200))
MARKUP = "[/red]\x1b[31m[link=x]"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Terms with one claim and with two, and the registration they stand on."""
    monkeypatch.chdir(tmp_path)
    terms = make_terms(VERIFIER, PROVER, TESTS, model_claim(PROVER))
    second = metric(MARKUP, Fraction(9, 10), at_most=True)
    for name, one in (
        ("one", terms),
        ("two", replace(terms, claims=(*terms.claims, second))),
        ("short", replace(terms, plan=replace(terms.plan, budgets=(("", 2),)))),
    ):
        (tmp_path / name).write_bytes(statement.seal(one.statement(), VERIFIER.session))
    (tmp_path / "registration").write_bytes(TESTS.registration)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(command, list(arguments), standalone_mode=False)


@pytest.mark.usefixtures("folder")
def test_lint_prints_the_cost_beside_the_single_look_methods_and_every_limit():
    done = run("lint", "two", "--registration", "registration")
    assert done.exception is None
    for part in (
        "Clopper-Pearson",
        "Wilson",
        "160 of 200",
        "mean units",
        "INCONCLUSIVE",
        "drift of its score",
    ):
        assert part in done.stdout
    assert "cannot become COMPLIANT at assurance declared" in done.stdout
    assert "[/red]\\x1b[31m[link=x]" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.usefixtures("folder")
def test_lint_refuses_terms_that_cannot_decide():
    done = run("lint", "short", "--registration", "registration")
    assert isinstance(done.exception, PeerError)
    assert done.exception.reason is Reason.BAD_TERMS


@pytest.mark.usefixtures("folder")
def test_diff_names_what_changed_and_says_so_by_its_exit_code():
    done = run("diff", "one", "two")
    assert done.return_value == 1
    assert "claims[" in done.stdout
    assert "accuracy" not in done.stdout
    same = run("diff", "one", "one")
    assert (same.return_value, same.stdout) == (0, "the same terms\n")
