"""The results of a sealed run that its terms hand over: to the verifier alone, and no others than the receipt's."""

import io
from dataclasses import replace

import pytest
from chamber_kit import NEUTRAL, boxed, write_model
from kit import pipe, seed
from parley_attestation.edge.vault import VaultKey
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.receipt import read_receipt
from parley_attestation.sealed_terms import SealedTerms
from parley_attestation.sealing import Sealed, seal
from parley_attestation.session.results import result_root
from parley_attestation.session.tables import State
from parley_verifier.results import handed_over, read_results
from parley_verifier.sealed import awaits_results
from test_chamber_rules import SECOND, SECOND_KEY
from test_chamber_service import Place
from test_chamber_session import Link, SealedExercise

pytestmark = boxed
RULES = SealedTerms(hand_over=True)
SEED = Bytes32(seed("results"))
KEY = VaultKey(seed("vault"), passphrase=False)


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A sealed session of a model that gets some items wrong, with its chamber."""
    exercise = SealedExercise(tmp_path_factory.mktemp("ended"), sealed=RULES, registered=0.7)
    v, _ = exercise.run()
    assert v.machine.state is State.FINISHED
    return exercise, v.machine


def refused(facts, sealed, reason, key=SEED):
    with pytest.raises(PeerError) as caught:
        handed_over(facts, key, sealed)
    assert caught.value.reason is reason


def resealed(facts, codes, root=None):
    """Other results, as a chamber could seal them."""
    receipt = facts.outcomes[0]
    what = Sealed(Role.CHAMBER, Digest(facts.session_id), root or receipt.result_root, len(codes))
    return b"".join(seal(what, SEED, io.BytesIO(codes).read))


def codes_of(found):
    return b"".join(found.codes(n) for n in range(60))


def test_the_verifier_gets_the_results_that_the_receipt_counts_and_keeps_them_under_its_key(ended, tmp_path):
    exercise, machine = ended
    assert awaits_results(machine)
    receipt = machine.facts.outcomes[0]
    found = handed_over(machine.facts, SEED, exercise.link.results(machine))
    assert found.root == receipt.result_root
    assert 0 < codes_of(found).count(1) == receipt.counts[0].successes < 60
    found.write(tmp_path / "results", KEY)
    assert codes_of(found) not in (tmp_path / "results").read_bytes()
    assert SEED.hex().encode() not in (tmp_path / "results").read_bytes()
    assert (tmp_path / "results").stat().st_mode & 0o077 == 0
    assert codes_of(read_results(tmp_path / "results", KEY, receipt.result_root)) == codes_of(found)
    with pytest.raises(LocalError, match="exists already"):
        found.write(tmp_path / "results", KEY)
    with pytest.raises(LocalError):
        read_results(tmp_path / "results", VaultKey(seed("other"), passphrase=False), receipt.result_root)


def test_results_are_of_one_size_whatever_they_are_and_no_window_of_them_is_on_the_disk(ended, tmp_path):
    exercise, machine = ended
    sealed = exercise.link.results(machine)
    codes = codes_of(handed_over(machine.facts, SEED, sealed))
    better = SealedExercise(tmp_path, sealed=RULES)
    v, _ = better.run()
    assert len(better.link.results(v.machine)) == len(sealed)
    disk = b"".join(path.read_bytes() for path in exercise.folder.rglob("*") if path.is_file())
    windows = {one for n in range(45) if len(set(one := codes[n : n + 16])) > 1}
    assert windows
    assert not any(one in disk for one in windows)


def test_results_that_were_altered_or_sealed_under_another_seed_are_refused(ended):
    exercise, machine = ended
    sealed = exercise.link.results(machine)
    for bad in (sealed[:-1], sealed + b"\0", sealed[:-1] + bytes([sealed[-1] ^ 1]), b""):
        refused(machine.facts, bad, Reason.BAD_SEAL)
    refused(machine.facts, sealed, Reason.BAD_SEAL, Bytes32(seed("another seed")))
    refused(replace(machine.facts, session_id=seed("another session")), sealed, Reason.BAD_SEAL)


def test_results_that_give_another_root_are_refused_even_with_the_same_counts(ended):
    exercise, machine = ended
    codes = bytearray(codes_of(handed_over(machine.facts, SEED, exercise.link.results(machine))))
    good, bad = codes.index(1), next(n for n, one in enumerate(codes) if one != 1)
    codes[good], codes[bad] = codes[bad], codes[good]
    refused(machine.facts, resealed(machine.facts, bytes(codes)), Reason.BAD_RECEIPT)


def test_bytes_that_no_audit_could_open_are_refused_when_they_come(ended):
    """Root and counts hold; in an audit the verifier would be blamed for the chamber's byte, or fall silent."""
    exercise, machine = ended
    codes = bytearray(codes_of(handed_over(machine.facts, SEED, exercise.link.results(machine))))
    codes[next(n for n, one in enumerate(codes) if one != 1)] = 5
    receipt = machine.facts.outcomes[0]
    root = result_root(SEED, receipt.exercise, [bytes([one]) for one in codes])
    facts = replace(machine.facts, outcomes=(replace(receipt, result_root=root),))
    with pytest.raises(PeerError, match="no results") as caught:
        handed_over(facts, SEED, resealed(facts, bytes(codes)))
    assert caught.value.reason is Reason.BAD_RECEIPT


def test_a_receipt_whose_counts_are_not_those_of_its_results_is_refused(tmp_path):
    """The chamber signs one success more than it committed to; only whoever has the results can see it."""
    exercise = SealedExercise(tmp_path, sealed=RULES, registered=0.7)
    honest = exercise.link.receipt

    def lie(machine):
        good = read_receipt(honest(machine), machine.facts.chambers[0])
        count = replace(good.counts[0], successes=good.counts[0].successes + 1)
        return replace(good, counts=(count,)).sealed(exercise.link.session._run._receipt)

    exercise.link.receipt = lie
    v, _ = exercise.run()
    assert v.machine.state is State.FINISHED
    with pytest.raises(PeerError, match="other counts") as caught:
        handed_over(v.machine.facts, SEED, exercise.link.results(v.machine))
    assert caught.value.reason is Reason.BAD_RECEIPT


def test_rounded_counts_are_compared_as_they_are_stated(tmp_path):
    rules = replace(RULES, round_to=8)
    exercise = SealedExercise(tmp_path, sealed=rules, registered=0.7)
    v, _ = exercise.run()
    found = handed_over(v.machine.facts, SEED, exercise.link.results(v.machine))
    exact, (stated,) = codes_of(found).count(1), v.machine.facts.outcomes[0].counts
    assert stated.successes == exact - exact % 8 != exact


def test_a_session_that_is_not_at_its_end_gets_no_results(tmp_path):
    exercise = SealedExercise(tmp_path, sealed=RULES)
    honest, seen = exercise.link.receipt, []

    def curious(machine):
        outcome = honest(machine)
        with pytest.raises(PeerError) as caught:
            exercise.link.results(machine)
        seen.append(caught.value.reason)
        return outcome

    exercise.link.receipt = curious
    exercise.run()
    assert seen == [Reason.OUT_OF_ORDER]


def test_without_the_terms_saying_so_a_chamber_keeps_no_results(tmp_path):
    exercise = SealedExercise(tmp_path)
    v, _ = exercise.run()
    assert not awaits_results(v.machine)
    with pytest.raises(PeerError) as caught:
        exercise.link.results(v.machine)
    assert caught.value.reason is Reason.WRONG_SESSION
    assert not list(tmp_path.rglob("results.sealed"))


def test_a_refused_run_leaves_no_results(tmp_path):
    exercise = SealedExercise(tmp_path, sealed=RULES, weights=write_model(tmp_path / "better", 1.0))
    v, _ = exercise.run()
    assert v.machine.facts.verdict.predicate["chambers"][0]["refused"] == "BAD_MODEL_CLAIM"
    assert not awaits_results(v.machine)
    assert not list(tmp_path.rglob("results.sealed"))


def test_a_prover_that_does_not_hand_results_over_declines(tmp_path):
    exercise = SealedExercise(tmp_path, sealed=RULES)
    v, p = exercise.ends()
    p.policy._offer = replace(p.policy._offer, hand_over=False)
    pipe(v, p)
    assert v.machine.state is State.DECLINED
    assert v.machine.facts.ending.reason == Reason.BAD_CUSTODY


def test_of_a_quorum_the_first_chamber_alone_hands_results_over(tmp_path):
    rules = replace(RULES, quorum=2, bits=2 * 6 + 3 * 60)
    links = Link(tmp_path / "one"), Link(tmp_path / "two", SECOND_KEY)
    v, _ = SealedExercise(tmp_path, links=links, sealed=rules, operators=(NEUTRAL, SECOND)).run()
    assert [one.handed_over for one in v.machine.facts.outcomes] == [60, 0]
    assert [(tmp_path / name / "results.sealed").exists() for name in ("one", "two")] == [True, False]


def test_over_the_wire_the_verifier_gets_the_results_again_and_again_and_the_prover_none(tmp_path):
    place = Place(tmp_path)
    try:
        exercise = place.exercise(sealed=RULES)
        v, p = exercise.run()
        mine, theirs = (end.policy for end in (v, p))
        first = mine._custody.links[0].results(v.machine)
        assert handed_over(v.machine.facts, SEED, first).root == v.machine.facts.outcomes[0].result_root
        assert mine._custody.links[0].results(v.machine) == first
        with pytest.raises(PeerError) as caught:
            theirs._offer.custody.links[0].results(p.machine)
        assert caught.value.reason is Reason.BAD_CUSTODY
    finally:
        for client in place.clients:
            client.close()
        place.server.stop(None).wait()
