"""Coins, tickets, outputs, results, evidence and records: the formulas of the text against the code."""

from itertools import pairwise
from types import SimpleNamespace

from evaluate import NUMBERS, hashing, value_of
from hypothesis import strategies as st
from parley_attestation import binding, canonical
from parley_attestation.commitment import SeedTree, commit_output
from parley_attestation.encoding import Bytes32, Digest, Nonce, Salt
from parley_attestation.errors import Role
from parley_attestation.evidence.binder import Exercise, binders, gpu_nonce
from parley_attestation.evidence.compute.records import Record, Window
from parley_attestation.runtime import OnnxRuntime, ProgramRuntime
from parley_attestation.session import backing
from parley_attestation.session.agreement import coin_commitment
from parley_attestation.session.results import result_leaf, result_root
from parley_attestation.session.schedule import Frame, most_units, order, sampling_seed
from parley_attestation.transcript import MAGIC
from reading import formula, section
from worked import contents, digests, inputs, places, record


@inputs(key=digests, exercise=digests, coin=digests, role=st.sampled_from([Role.VERIFIER, Role.PROVER]))
def test_coins_are_committed_to_as_the_text_says(key, exercise, coin, role):
    said = formula("coins", "mac(key").text
    names = hashing(key=key, role=role.encode(), coin=coin, **{"exercise id": exercise})
    assert value_of(said, names) == coin_commitment(key, Digest(exercise), role, coin)


def test_the_seed_follows_from_both_coins_as_the_text_says():
    facts = record().machine.facts
    names: dict[str, bytes] = {"exercise id": facts.exercise}
    for letter, role in (("V", Role.VERIFIER), ("P", Role.PROVER)):
        names |= {f"commitment {letter}": facts.coin_commitments[role], f"coin {letter}": facts.coins[role]}
    assert value_of(formula("coins", "seed =").right, hashing(**names)) == facts.seed


@inputs(root=digests, seed=digests, samples=st.integers(1, 3), start=places)
def test_units_stand_in_the_order_of_the_tickets_of_the_text(root, seed, samples, start):
    ticket, sampled = (
        formula("tickets", "ticket(i, j) =").right,
        formula("tickets", 'digest("parley/v1/sampling"').text,
    )
    bound = formula("terms", "0 <= sample").text
    runs = ((start, start + 3), (start + 5, start + 9))
    population = Frame("", runs, samples, 7 * samples)
    units = [
        (i, j)
        for low, high in runs
        for i in range(low, high)
        for j in range(-1, samples + 2)
        if value_of(bound, {"sample": j, "samples": samples})
    ]
    assert units == list(population.units())
    by = {unit: value_of(ticket, hashing(root=root, seed=seed, i=unit[0], j=unit[1])) for unit in units}
    found = order(population, Digest(root), Digest(seed))
    assert found == sorted(units, key=lambda unit: (by[unit], *unit))
    for i, j in units:
        first = int.from_bytes(value_of(sampled, hashing(seed=seed, i=i, j=j))[:8], "big")
        assert first >> 1 == sampling_seed(Digest(seed), (i, j))


@inputs(root=digests, seed=digests)
def test_the_items_of_a_pair_are_those_that_the_text_says(root, seed):
    first, second = formula("test-set", "2 n"), formula("test-set", "2 n + 1")
    found = order(Frame("", ((0, 12),), 1, 6, ("a", "b")), Digest(root), Digest(seed))
    pairs = {(one, other) for (one, _), (other, _) in list(pairwise(found))[::2]}
    assert pairs == {(value_of(first.text, {"n": n}), value_of(second.text, {"n": n})) for n in range(6)}


@inputs(batch=st.integers(1, 40), turn=st.integers(1, 2000), output=st.integers(1, 300))
def test_the_cap_on_a_challenge_is_the_one_of_the_text(batch, turn, output):
    said = formula("challenge", "max(1, min(batch").text
    terms = SimpleNamespace(plan=SimpleNamespace(batch=batch), caps=SimpleNamespace(turn=turn, output=output))
    for tight in (turn, 3 * (output + 32), 3 * (output + 32) - 1):
        terms.caps.turn = tight
        names = {"batch": batch, "turn_bytes": tight, "output_bytes": output, **NUMBERS}
        assert value_of(said, names) == most_units(terms)


@inputs(key=digests, exercise=digests, i=places, j=st.integers(0, 1023), output=contents)
def test_outputs_are_committed_to_as_the_text_says(key, exercise, i, j, output):
    names = hashing(key=key, i=i, j=j, output=output, **{"exercise id": exercise})
    made = commit_output(Salt(key), Digest(exercise), i, j, output)
    assert value_of(formula("answers", "mac(key").text, names) == made


@inputs(
    seed=digests,
    exercise=digests,
    results=st.lists(st.binary(min_size=1, max_size=3), min_size=1, max_size=6),
)
def test_results_are_committed_to_as_the_text_says(seed, exercise, results):
    shown, audited = formula("acknowledge", "H(0x00").text, formula("open", "H(0x00").text
    salts, made = SeedTree(Bytes32(seed), len(results)), []
    for n, codes in enumerate(results):
        names = hashing(n=n, salt_n=salts.key(n), key=salts.key(n), codes=codes)
        names |= {"exercise id": exercise, "sealed exercise id": exercise, "bytes of unit n": codes}
        made.append(value_of(shown, names))
        assert made[-1] == value_of(audited, names) == result_leaf(salts.key(n), Digest(exercise), n, codes)
    assert result_root(Bytes32(seed), Digest(exercise), results) == _root(made)


def _root(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    cut = 1 << (len(leaves) - 1).bit_length() - 1
    return hashing()["H"](b"\1" + _root(leaves[:cut]) + _root(leaves[cut:]))


@inputs(exercise=digests, outputs=st.lists(st.none() | digests, min_size=1, max_size=5))
def test_the_units_of_a_binding_are_named_as_the_text_says(exercise, outputs):
    whole, each = formula("binding", 'digest("parley/v1/binding"').text, formula("binding", "u =").right
    units = [((7 * n, n), None if one is None else Digest(one)) for n, one in enumerate(outputs)]
    names = hashing(**{"exercise id": exercise})
    for n, ((i, j), output) in enumerate(units, 1):
        names[f"u_{n}"] = value_of(each, hashing(i=i, j=j, **{"output commitment": output or b""}))
    assert value_of(whole, names, len(units)) == binding.units_digest(Digest(exercise), units)


def test_a_runtime_is_named_as_the_text_says():
    said = formula("runtimes", 'digest("parley/v1/runtime"').text
    for runtime in (
        OnnxRuntime("1.24", "model.onnx", (2, 3), labels=("a",)),
        ProgramRuntime(("/bin/run",), (("run", Digest(bytes(32))),), 1),
    ):
        raw = canonical.dump(runtime.document())
        assert value_of(said, hashing(JSON=raw)) == runtime.digest()


@inputs(
    nonces=st.tuples(digests, digests),
    key=digests,
    hpke=st.sampled_from([b"", bytes(32)]),
    reports=st.lists(contents, max_size=3),
)
def test_the_binders_of_evidence_are_those_of_the_text(nonces, key, hpke, reports):
    names = hashing(T=key[::-1], nP=nonces[0], nV=nonces[1], K=key, hpke=hpke)
    names |= {f"report_{n}": report for n, report in enumerate(reports, 1)}
    names["n"] = len(reports)
    names["g"] = value_of(formula("accept", "g =").right, names, len(reports))
    exercise = Exercise(Digest(key[::-1]), Nonce(nonces[0]), Nonce(nonces[1]), Bytes32(key), hpke)
    assert value_of(formula("accept", "gpu32 =").right, names) == gpu_nonce(exercise)
    assert value_of(formula("accept", "bind64 =").right, names) == binders(exercise, reports).bind64


def test_a_binder_names_the_transcript_as_the_text_says():
    worked = record()
    heads = {f"head {n}": turn.envelope.head() for n, turn in enumerate(worked.turns[:3], 1)}
    made = backing.binding(worked.machine.facts, worked.machine.heads, bytes(32))
    assert value_of(formula("accept", "T =").right, hashing(**heads)) == made.transcript


@inputs(prev=digests, sequence=places)
def test_compute_records_are_named_as_the_text_says(prev, sequence):
    said = formula("compute-records", 'digest("parley/v1/compute"').text
    assert f"The subject is `compute-record` with `{said}`" in section("compute-records")
    one = Record(sequence, Digest(prev), 5, Window("gpu-0", "boot-1", 1, 2, None))
    (subject,) = one.statement().subjects
    assert subject.name == "compute-record"
    assert subject.sha256 == value_of(said, hashing(prev=prev, sequence=sequence))


def test_the_running_digest_of_a_record_is_the_one_of_the_text():
    first, following = formula("records", "r_0 =").right, formula("records", "r_n =").right
    raw, at, running = record().raw, len(MAGIC), value_of(first, hashing())
    while at < len(raw):
        kind, length = raw[at : at + 1], raw[at + 1 : at + 9]
        body = raw[at + 9 : at + 9 + int.from_bytes(length, "big")]
        names = hashing(kind=kind, length=length, body=body, **{"r_(n-1)": running})
        at += 9 + len(body)
        running = value_of(following, names)
        assert raw[at : at + 32] == running
        at += 32
