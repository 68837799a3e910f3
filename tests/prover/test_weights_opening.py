import json
import multiprocessing
import struct
import threading
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parley_attestation import canonical
from parley_attestation.commitment import SeedTree
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.weights import verify_model
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_attestation.model.chunks import CHUNK, leaves
from parley_attestation.model.opened import verify_opening
from parley_attestation.model.opening import Opening, build_opening, decode
from parley_attestation.model.request import RandomRequest, RangeRequest, TensorRequest, select
from parley_attestation.model.same import prove_same, verify_same
from parley_prover.weight_budget import Cap, Caps, Disclosure, WeightBudget
from parley_prover.weight_opening import WeightOpener
from parley_prover.weights import register_model

ROOT = SigningKey(bytes(32))
EVERYTHING = Caps(Cap(Fraction(10)), Cap(Fraction(10)))
PEER, OTHER = Digest(b"p" * 32), Digest(b"o" * 32)


def _safetensors(tensors):
    header, data = {}, b""
    for name, raw in tensors.items():
        header[name] = {"dtype": "U8", "shape": [len(raw)], "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def _noise(seed, size):
    return b"".join(bytes([(seed * 7 + n * n) % 256]) * 64 for n in range(-(-size // 64)))[:size]


TENSORS = {
    "embed": _noise(1, 300_000),
    "layer.0": _noise(2, 65_536),
    "layer.1": _noise(3, 65_536),
    "norm": _noise(4, 40),
    "none": b"",
    "head": _noise(5, 200_001),
}


def _register(location, seed=b"e", **options):
    return register_model(str(location), root_key=ROOT, name="m", entropy=Bytes32(seed * 32), **options)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    (folder / "model.safetensors").write_bytes(_safetensors(TENSORS))
    (folder / "config.json").write_bytes(b"{}")
    (folder / "model.pkl").write_bytes(_noise(9, 400_000))
    return folder, _register(folder)


@pytest.fixture
def opener(model, tmp_path):
    folder, made = model
    return WeightOpener(made, str(folder), WeightBudget(tmp_path / "budget", EVERYTHING))


REQUESTS = [
    *(TensorRequest("model.safetensors", name) for name in TENSORS),
    RangeRequest("model.safetensors", 0, 8),
    RangeRequest("model.safetensors", 299_000, 500_000),
    RangeRequest("model.pkl", 65_536, 65_537),
    RangeRequest("model.pkl", 0, 400_000),
    RandomRequest(Bytes32(b"r" * 32), 1),
    RandomRequest(Bytes32(b"r" * 32), 7),
]


@pytest.mark.parametrize("asked", REQUESTS, ids=str)
def test_an_opening_shows_exactly_the_bytes_asked_for(opener, model, asked):
    folder, made = model
    raw = opener.open(asked, PEER).encode()
    opened = verify_opening(made.claim, asked, decode(raw))
    if isinstance(asked, TensorRequest):
        assert opened.content == TENSORS[asked.name]
        assert len(raw) - len(opened.content) <= 3000
        assert opened.parts[0].place is None
    elif isinstance(asked, RangeRequest):
        assert opened.content == (folder / asked.path).read_bytes()[asked.start : asked.stop]
    else:
        assert sum(stop - start for p in opened.parts for start, stop in p.runs) == asked.count
        for part in opened.parts:
            start, stop = part.runs[0]
            at = part.place.offset + 65_536 * start
            shown = (folder / part.segment.path).read_bytes()[at : at + 65_536 * (stop - start)]
            assert part.data.startswith(shown[: part.segment.size - 65_536 * start])


def test_the_opening_of_a_tensor_tells_nothing_of_its_neighbours(opener):
    header = opener.open(TensorRequest("model.safetensors", "layer.1"), PEER).header.decode()
    for told in ("layer.0", "embed", "config", "pkl", "offset", "first_chunk", "300000"):
        assert told not in header


@pytest.mark.parametrize("asked", REQUESTS, ids=str)
def test_an_altered_opening_is_refused_wherever_it_is_altered(opener, model, asked):
    opening = opener.open(asked, PEER)
    claim = model[1].claim

    def walk(value, path=()):
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from walk(inner, (*path, key))
        elif isinstance(value, list):
            if value and path[-1] != "shape":
                yield path, value[:-1]
            yield path, [*value, value[-1] if value else "00" * 32]
            for n, inner in enumerate(value):
                yield from walk(inner, (*path, n))
        elif isinstance(value, int):
            yield path, value + 1
        else:
            yield path, ("1" if value[:1] == "0" else "0") + value[1:]

    original = json.loads(opening.header)
    for path, value in walk(original):
        changed = json.loads(opening.header)
        inner = changed
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value
        with pytest.raises(PeerError):
            verify_opening(claim, asked, Opening(canonical.dump(changed), opening.data))
    for data in (opening.data + b"x", opening.data[:-1], bytes(len(opening.data))):
        if data != opening.data:
            with pytest.raises(PeerError):
                verify_opening(claim, asked, Opening(opening.header, data))


def test_an_opening_answers_no_other_request_and_no_other_claim(opener, model):
    folder, made = model
    opening = opener.open(REQUESTS[0], PEER)
    for claim, asked in ((made.claim, REQUESTS[1]), (_register(folder, b"x").claim, REQUESTS[0])):
        with pytest.raises(PeerError) as refused:
            verify_opening(claim, asked, opening)
        assert refused.value.reason is Reason.BAD_OPENING
    # The header names the other request, and still shows the wrong thing.
    for asked in (REQUESTS[1], RangeRequest("model.pkl", 0, 8), RandomRequest(Bytes32(b"q" * 32), 7)):
        other = REQUESTS[-1] if isinstance(asked, RandomRequest) else asked
        base = opener.open(RangeRequest("model.pkl", 65_536, 70_000) if asked != other else REQUESTS[0], PEER)
        header = json.loads(base.header) | {"request": json.loads(opener.open(other, PEER).header)["request"]}
        with pytest.raises(PeerError):
            verify_opening(made.claim, other, Opening(canonical.dump(header), base.data))


def test_a_range_or_tensor_that_the_model_lacks_is_refused_before_the_budget_is_touched(opener, model):
    for asked in (
        TensorRequest("model.safetensors", "tail"),
        TensorRequest("model.pkl", ""),
        RangeRequest("model.pkl", 400_000, 400_001),
        RangeRequest("absent", 0, 1),
        RandomRequest(Bytes32(bytes(32)), 4096),
    ):
        with pytest.raises(PeerError) as refused:
            opener.open(asked, PEER)
        assert refused.value.reason in {Reason.WRONG_INDEX, Reason.OVER_CAP}
    assert opener.budget.spent(model[1].secret.content(), PEER) == (0, 0)


def test_weights_that_changed_since_registration_are_not_opened(tmp_path):
    (tmp_path / "m.bin").write_bytes(bytes(100_000))
    made = _register(tmp_path / "m.bin")
    opener = WeightOpener(made, str(tmp_path / "m.bin"), WeightBudget(tmp_path / "budget", EVERYTHING))
    (tmp_path / "m.bin").write_bytes(bytes(99_999) + b"x")
    with pytest.raises(LocalError) as refused:
        opener.open(RangeRequest("m.bin", 0, 8), PEER)
    assert refused.value.reason is Reason.CORRUPT


def test_two_claims_of_one_series_are_shown_to_be_the_same_and_nothing_else_is(model):
    folder, made = model
    again = _register(folder, b"f", same_as=made.secret)
    proof = prove_same((made.claim, made.secret), (again.claim, again.secret))
    assert verify_same(made.claim, again.claim, proof).content == made.secret.content()
    assert len(proof) < 500
    stranger = _register(folder, b"g")
    with pytest.raises(PeerError, match="not shown"):
        prove_same((made.claim, made.secret), (stranger.claim, stranger.secret))
    for first, second in ((again, made), (made, made), (made, stranger)):
        with pytest.raises(PeerError, match="expected a proof about these two"):
            verify_same(first.claim, second.claim, proof)
    altered = canonical.dump(json.loads(proof) | {"content": "00" * 32})
    with pytest.raises(PeerError, match="not shown"):
        verify_same(made.claim, again.claim, altered)


def _model_bytes(names, fill):
    return {name: _noise(fill + n, 66_000) for n, name in enumerate(names)}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_done_to_a_model_verify_names_the_tensor_or_file(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("m")
    names = data.draw(st.lists(st.text("abc.", min_size=1, max_size=3), min_size=2, max_size=4, unique=True))
    tensors = _model_bytes(names, data.draw(st.integers(0, 9)))
    (folder / "m.safetensors").write_bytes(_safetensors(tensors))
    (folder / "vocab.txt").write_bytes(b"a b c")
    made = _register(folder)
    kind = data.draw(
        st.sampled_from(["flip", "truncate", "rename", "tensor", "reorder", "swap", "add", "remove", "drop"])
    )
    path = folder / "m.safetensors"
    first, second = names[0], names[-1]
    if kind == "flip":
        name = data.draw(st.sampled_from(names))
        raw = bytearray(tensors[name])
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(_safetensors(tensors | {name: bytes(raw)}))
        named = f"tensor {name!r} of 'm.safetensors' differs"
    elif kind == "truncate":
        path.write_bytes(path.read_bytes()[: -data.draw(st.integers(1, 66_000))])
        named = "'m.safetensors'"
    elif kind == "rename":
        (folder / "vocab.txt").rename(folder / "vocab2.txt")
        named = "file 'vocab2.txt' is not in the claim, file 'vocab.txt' is missing"
    elif kind == "tensor":
        path.write_bytes(_safetensors({("z" if n == first else n): raw for n, raw in tensors.items()}))
        named = f"tensor {first!r} of 'm.safetensors' is laid out differently"
    elif kind == "reorder":
        path.write_bytes(_safetensors(dict(reversed(tensors.items()))))
        named = f"tensor {first!r} of 'm.safetensors' is laid out differently"
    elif kind == "swap":
        path.write_bytes(_safetensors(tensors | {first: tensors[second], second: tensors[first]}))
        named = f"tensor {first!r} of 'm.safetensors' differs"
    elif kind == "add":
        (folder / "adapter.bin").write_bytes(b"")
        named = "file 'adapter.bin' is not in the claim"
    elif kind == "drop":
        path.write_bytes(_safetensors({n: raw for n, raw in tensors.items() if n != second}))
        named = f"tensor {second!r} of 'm.safetensors' is laid out differently"
    else:
        (folder / "vocab.txt").unlink()
        named = "file 'vocab.txt' is missing"
    with pytest.raises(PeerError) as refused:
        verify_model(str(folder), made.claim, made.secret)
    assert refused.value.reason is Reason.BAD_MODEL_CLAIM
    assert named in refused.value.message
    if kind == "swap":
        assert f"tensor {second!r} of" in refused.value.message


def test_the_budget_counts_per_counterparty_and_in_total_and_survives_a_restart(tmp_path):
    caps = Caps(Cap(Fraction(1, 100)), Cap(Fraction(15, 1000)))
    model, size = Digest(b"m" * 32), 100_000

    def reserve(peer, amount, *, terms=None, of=model):
        WeightBudget(tmp_path / "b", caps).reserve(Disclosure(of, peer, PEER, amount), size, terms)

    def refused(*asked, **options):
        with pytest.raises(PeerError) as error:
            reserve(*asked, **options)
        assert error.value.reason is Reason.BUDGET_EXHAUSTED
        return error.value.message

    assert "at most 1000 bytes" in refused(PEER, 1001)
    reserve(PEER, 600)
    assert "400" in refused(PEER, 401)
    reserve(PEER, 400)
    refused(PEER, 1)
    assert "all counterparties together" in refused(OTHER, 501)
    assert "100 bytes" in refused(OTHER, 101, terms=Caps(Cap(size=100), Cap(Fraction(1))))
    reserve(OTHER, 500)
    refused(Digest(b"3" * 32), 1)
    reserve(PEER, 1000, of=Digest(b"n" * 32))
    assert WeightBudget(tmp_path / "b").spent(model, OTHER) == (500, 1500)


def test_the_default_budget_is_one_percent():
    assert Caps().counterparty.bytes_of(10_000) == Caps().total.bytes_of(10_000) == 100


def test_terms_never_widen_the_budget(tmp_path):
    with pytest.raises(PeerError):
        WeightBudget(tmp_path / "b").reserve(Disclosure(PEER, PEER, PEER, 101), 10_000, EVERYTHING)


def _spend(path, start, results):
    start.wait(60)
    granted = 0
    for _ in range(30):
        try:
            WeightBudget(path).reserve(Disclosure(PEER, PEER, PEER, 7), 10_000)
        except PeerError:
            continue
        granted += 1
    results.put(granted)


def test_two_processes_at_once_cannot_overspend(tmp_path):
    context = multiprocessing.get_context("spawn")
    WeightBudget(tmp_path / "b")
    start, results = context.Event(), context.Queue()
    workers = [context.Process(target=_spend, args=(tmp_path / "b", start, results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    start.set()
    granted = [results.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join(60)
    assert sum(granted) == 100 // 7
    assert WeightBudget(tmp_path / "b").spent(PEER, PEER) == (98, 98)


def test_two_sessions_at_once_cannot_both_take_the_last_bytes(tmp_path):
    budget = WeightBudget(tmp_path / "b")
    barrier = threading.Barrier(2)
    outcomes = []

    def session():
        barrier.wait(30)
        try:
            budget.reserve(Disclosure(PEER, PEER, PEER, 60), 10_000)
        except PeerError as error:
            outcomes.append(error.reason)
        else:
            outcomes.append(None)

    threads = [threading.Thread(target=session) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes, key=str) == [Reason.BUDGET_EXHAUSTED, None]


def test_an_exhausted_budget_refuses_before_a_byte_is_read(model, tmp_path):
    folder, made = model
    budget = WeightBudget(tmp_path / "b")
    opener = WeightOpener(made, str(folder / "absent"), budget)  # reading would fail
    with pytest.raises(PeerError) as refused:
        opener.open(TensorRequest("model.safetensors", "head"), PEER)
    assert refused.value.reason is Reason.BUDGET_EXHAUSTED
    with pytest.raises(LocalError):
        opener.open(TensorRequest("model.safetensors", "norm"), PEER)


def _honest_opening_of_other_chunks(model, asked, picks):
    """Everything about it is true, except that it is not what was asked for."""
    folder, made = model

    def material(pick):
        segment = pick.entry.segment
        raw = (folder / segment.path).read_bytes()[segment.offset : segment.offset + segment.size]
        salts = blinded.keys.chunks(pick.index)
        shown = b"".join(raw[CHUNK * start : CHUNK * stop] for start, stop in pick.runs)
        return shown, leaves(SeedTree(salts, pick.entry.chunks).keys(), memoryview(raw))

    blinded = made.secret.blinded()
    opening = build_opening(made.claim, made.secret, blinded, asked, picks, material)
    return verify_opening(made.claim, asked, opening)


@pytest.mark.parametrize(
    ("asked", "shown", "why"),
    [
        (REQUESTS[-1], RandomRequest(Bytes32(b"q" * 32), 7), "other chunks than those drawn"),
        (REQUESTS[-1], REQUESTS[-2], "other chunks than those drawn"),
        (RangeRequest("model.pkl", 0, 8), RangeRequest("model.safetensors", 0, 8), "the file asked for"),
        (RangeRequest("model.pkl", 0, 8), RangeRequest("model.pkl", 65_536, 65_540), "does not cover"),
        (RangeRequest("model.pkl", 0, 65_537), RangeRequest("model.pkl", 0, 8), "does not cover"),
        (TensorRequest("model.safetensors", "layer.0"), REQUESTS[2], "another tensor"),
    ],
)
def test_true_chunks_that_were_not_asked_for_are_refused(model, asked, shown, why):
    picks = select(model[1].secret.manifest, shown)
    with pytest.raises(PeerError, match=why) as refused:
        _honest_opening_of_other_chunks(model, asked, picks)
    assert refused.value.reason is Reason.BAD_OPENING
    assert _honest_opening_of_other_chunks(model, shown, picks).content


def test_a_range_with_a_hole_in_it_is_refused(model):
    asked = RangeRequest("model.safetensors", 299_000, 500_000)
    picks = select(model[1].secret.manifest, asked)
    assert len(picks) > 2
    with pytest.raises(PeerError, match="gap-free"):
        _honest_opening_of_other_chunks(model, asked, (picks[0], *picks[2:]))
