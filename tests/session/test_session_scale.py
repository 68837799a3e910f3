"""Size: many items in flat memory, and one large item."""

import hashlib
import tracemalloc

import pytest
from kit import Caps, Exercise, Plan, pipe, right, sums
from parley_attestation.session.tables import State


@pytest.mark.slow
def test_ten_thousand_items_finish_and_memory_does_not_grow_with_their_content(tmp_path):
    """The prover is right on exactly the threshold's share: no test can cross before the last items."""
    items = [(p + b" " * 2000 + b"#%d" % n, r) for n, (p, r) in enumerate(sums(10_000))]
    wrong = {hashlib.sha256(p).digest() for p, _ in items[:2000]}
    answer = lambda p, _: b"?" if hashlib.sha256(p).digest() in wrong else right(p.split(b" ")[0])  # noqa: E731
    exercise = Exercise(
        tmp_path, items=items, answer=answer, terms_changes={"plan": Plan(1, 256, (("", 10_000),))}
    )
    v, p = exercise.verifier_end(), exercise.prover_end()
    tracemalloc.start()
    pipe(v, p)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert v.machine.state is State.FINISHED
    assert len(v.machine.facts.audit.units) > 9_000
    assert peak < 60 << 20, "about 3 KB an item for both parties; 20 MB of prompts are never held at once"


def test_one_item_of_fifty_megabytes_passes(tmp_path):
    big = b"7+8" + b" " * (50 << 20)
    exercise = Exercise(
        tmp_path,
        items=[(big, b"15"), *sums(5)],
        answer=lambda p, _: right(p[:10].strip()),
        terms_changes={"plan": Plan(1, 2, (("", 6),)), "caps": Caps(52 << 20, 1 << 12, 1 << 12, 60 << 20)},
    )
    v, _ = exercise.run()
    assert v.machine.facts.verdict.predicate["overall"] == "COMPLIANT"
