"""From a sealed exercise to an audit of its receipt, by commands alone: no file is made by hand but the terms."""

import json

from chamber_kit import boxed
from parley_attestation.session.tables import State
from sealed_world import GRADER, ITEMS, WRONG, make_sealed_world
from test_e2e_sealed import judged

pytestmark = boxed
TERMS = """\
title = "forty pictures, audited"
measures = "nothing"
sampling_frame = "made up"
not_concluded = ["anything else"]
[system]
scaffold = "none"
runtime = "onnxruntime"
decoding = "argmax"
[[claims]]
id = "accuracy"
grader = {grader}
threshold = "{threshold}"
[plan]
batch = 4
[audited]
record = "record.parley"
tolerance = "0"
"""


def write_audit(world, threshold):
    """Terms that audit the receipt, and a configuration that names them."""
    grader = ", ".join(f"{name} = {json.dumps(value)}" for name, value in GRADER.document().items())
    (world.folder / "audit.toml").write_text(TERMS.format(grader=f"{{{grader}}}", threshold=threshold))
    made = world.parley(
        "terms", "new", "audit.toml", "--party", "verifier", "--registration", "hidden.registration.json",
        "--model", "model.claim.json", "--out", "audit.terms.json", "--journal", "verifier.journal",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    config = (world.folder / "verifier.toml").read_text()
    config = config[: config.index("[verifier.sealed]")].replace('"terms.json"', '"audit.terms.json"')
    (world.folder / "audit.verifier.toml").write_text(config)


def test_a_receipt_is_audited_with_the_results_that_the_chamber_handed_over(tmp_path):
    world = make_sealed_world(tmp_path, hand_over=True)
    with world.chamber(), world.prover():
        done = world.verify()
        assert done.returncode == 0, done.stderr
        assert "results hidden.results" in done.stderr
        assert world.spilled() == []
        write_audit(world, "1/2")
        done = world.verify(record="audit.parley", config="audit.verifier.toml")
    assert done.returncode == 0, done.stderr
    assert "INTACT" in done.stdout
    said = judged(world, "audit.parley").verdict.predicate
    assert (said["overall"], said["integrity"]) == ("COMPLIANT", "INTACT")
    assert 0 < said["opened"] < ITEMS, "results of challenged units alone were opened"
    assert judged(world).verdict.predicate["claims"][0]["successes"] == ITEMS - WRONG
    compared = world.parley("compare", "record.parley", "audit.parley")
    assert compared.returncode == 0, compared.stderr
    assert f"{said['opened']} shared" in compared.stdout


def test_results_that_could_not_be_fetched_at_once_are_fetched_later_even_from_a_restarted_chamber(tmp_path):
    world = make_sealed_world(tmp_path, hand_over=True)
    (tmp_path / "hidden.results").write_text("in the way")
    with world.chamber(), world.prover():
        done = world.verify()
    assert done.returncode == 0, "the verdict stands"
    assert "parley verifier results" in done.stderr
    assert judged(world).state is State.FINISHED
    away = world.parley("verifier", "results", "verifier.toml")
    assert away.returncode == 5
    (tmp_path / "hidden.results").unlink()
    with world.chamber():
        fetched = world.parley("verifier", "results", "verifier.toml")
    assert fetched.returncode == 0, fetched.stderr
    assert (tmp_path / "hidden.results").exists()


def test_a_prover_that_keeps_its_results_to_itself_declines(tmp_path):
    world = make_sealed_world(tmp_path, hand_over=True)
    text = (tmp_path / "prover.toml").read_text()
    (tmp_path / "prover.toml").write_text(text.replace("hand_over = true", ""))
    with world.chamber(), world.prover():
        done = world.verify()
    assert "decline by the prover: BAD_CUSTODY" in done.stdout


def test_a_verifier_says_which_file_handed_over_results_need(tmp_path):
    world = make_sealed_world(tmp_path, hand_over=True)
    text = (tmp_path / "verifier.toml").read_text()
    (tmp_path / "verifier.toml").write_text(text.replace('results = "hidden.results"', ""))
    done = world.verify()
    assert done.returncode == 5
    assert "`results` in [verifier]" in done.stderr
