"""Every test that claims something in the draft notices when that is changed.

For each formula, object, figure and row of a table the text is changed in one place, and the test that claims it is
run on the changed text: it must fail. What stands in `EXPLAINED` is seen by nobody here, with the reason.
"""

import importlib
from collections.abc import Callable, Iterator

import mutants
import pytest
import reading
from test_registry import GENERATOR, claims

PROSE = {"threats", "related-work"}  # words for people: what a machine can check in them are references
EXPLAINED = {
    ("layout-snp", "| 0x048 | 5 |"): "the word that holds the bits is read bit by bit, however long it is",
    ("runtimes", "without its first axis, which is 2"): "no reader sees it: the engine's tests run it",
    ("appraisal", "chain of 5 to 6"): "no constant: the tests of NVIDIA reports hold it",
    ("appraisal", "chain of 4 to 7"): "no constant: the tests of NVIDIA reports hold it",
    ("frame-test", "without | "): "an example with a row less holds as well",
}


def notices(test: str, text: str) -> bool:
    """Whether a test fails on another text than the draft."""
    path, _, name = test.partition("::")
    run = getattr(importlib.import_module(path.removesuffix(".py")), name)
    whole = reading.current()
    reading.replace(text)
    try:
        run()
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - however it fails, it saw the change
        return True
    finally:
        reading.replace(whole)
    return False


def unseen(kind: str, of: Callable[[str, str], Iterator[tuple[str, str]]]) -> list[tuple[str, str]]:
    """Changes of one kind of thing that its test does not notice; each thing has at least one change."""
    found, sound = [], set()
    for (its_kind, where, text), tests in claims().items():
        if its_kind == kind:
            made = list(of(where, text))
            assert made, f"nothing in {where} could be changed: {text}"
            assert tests[0] in sound or not notices(tests[0], reading.current()), f"{tests[0]} fails as it is"
            sound.add(tests[0])
            found += [(where, change) for change, draft in made if not notices(tests[0], draft)]
    return found


@pytest.mark.slow
def test_every_change_of_a_formula_is_noticed_by_its_test():
    assert unseen("formula", lambda where, text: mutants.of_formula(reading.also(where, text))) == []


def test_every_change_of_an_object_is_noticed_by_its_test():
    assert unseen("object", lambda where, text: mutants.of_object(reading.also_object(where, text))) == []


def test_every_change_of_a_figure_is_noticed_by_its_test():
    assert unseen("figure", lambda where, _: mutants.of_figure(where)) == []


@pytest.mark.slow
def test_every_change_of_a_table_is_noticed_by_its_test_or_explained():
    def changes(where: str, _: str) -> Iterator[tuple[str, str]]:
        made = mutants.of_references(where) if where in PROSE else mutants.of_table(where)
        generated = claims()["table", where, ""][0] == GENERATOR
        return iter(list(made)[:1]) if generated else made

    left = set(EXPLAINED)
    for where, change in unseen("table", changes):
        reasons = [one for one in EXPLAINED if one[0] == where and one[1] in change]
        assert reasons, f"{where}: nobody sees {change}"
        left -= set(reasons)
    assert left == set(), "these are seen: strike them"


def test_every_change_of_a_listed_field_is_noticed():
    test = "test_predicates.py::test_every_predicate_has_the_fields_that_the_text_lists"
    assert not notices(test, reading.current())
    for where, name in (
        ("keys", "not_before"), ("keys", "since"), ("model-claim", "formats"), ("accept", "items"),
        ("compute-records", "prev"), ("binding", "units"), ("sealed-messages", "swap"),
        ("sealed-messages", "handed_over"), ("sealed-messages", "blamed"), ("judge", "basis"),
        ("witnesses", "attempt"), ("witnesses", "deadline"), ("witnesses", "number"), ("witnesses", "statement"),
    ):  # fmt: skip
        assert notices(test, mutants.within(where, f"`{name}`", f"`{name}x`")), (where, name)
