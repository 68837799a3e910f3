"""Every test that claims something in the draft notices when that is changed."""

import importlib

import mutants
import pytest
import reading
from test_registry import claims

CLAIMS = claims()


def notices(test: str, text: str) -> bool:
    """Whether a test fails on another text than the draft."""
    path, _, name = test.partition("::")
    run = getattr(importlib.import_module(path.removesuffix(".py")), name)
    whole = reading.current()
    reading.replace(text)
    try:
        run()
    except (Exception, pytest.fail.Exception):
        return True
    finally:
        reading.replace(whole)
    return False


def test_every_change_of_a_formula_is_noticed_by_its_test():
    unseen = []
    for (kind, where, text), tests in CLAIMS.items():
        if kind == "formula":
            for change, draft in mutants.of_formula(reading.also(where, text)):
                if not notices(tests[0], draft):
                    unseen.append((where, text, change))
    assert unseen == []
