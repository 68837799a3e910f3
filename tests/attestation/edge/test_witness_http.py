import http.client
import threading

import pytest
from log_kit import LOG_KEY, NAME, PUBLIC, MemoryStore, entry, grow, log_of
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.log_writer import init_log, open_log
from parley_attestation.edge.witness_http import (
    CheckpointWitness,
    cosign_by,
    serve_checkpoints,
    submit,
)
from parley_attestation.encoding import Digest
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_attestation.log import note
from parley_attestation.log.add_checkpoint import Submission, SubmissionError, parse_submission
from parley_attestation.log.checkpoint import Checkpoint, open_checkpoint
from parley_attestation.log.cosignature import Ed25519Cosigner, check_cosigner, cosign, cosigned
from parley_attestation.log.note import Note
from parley_attestation.log.tiles import TileTree

T0 = 1_790_000_000
KEY = SigningKey(b"h" * 32)
WITNESS = Ed25519Cosigner("witness.example/http", KEY.public)


@pytest.fixture
def witness(tmp_path):
    one = CheckpointWitness(tmp_path / "h.sqlite", KEY, WITNESS.name, [(NAME, PUBLIC)])
    yield one
    one.close()


@pytest.fixture
def url(witness):
    with serve_checkpoints(witness, "127.0.0.1", 0, lambda: T0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def submission(store, raw, old=0):
    found, signed = open_checkpoint(raw, PUBLIC)
    return Submission(old, TileTree(store.read, found.size).consistency(old), signed)


def status(code):
    return pytest.raises(SubmissionError, check=lambda e: e.status == code)


def test_a_log_gets_every_checkpoint_cosigned_as_it_is_published(url):
    store = MemoryStore()
    init_log(store, LOG_KEY, NAME)

    def ask(checkpoint, signed):
        return (cosign_by(url, WITNESS, store.read, checkpoint, signed),)

    with open_log(store, LOG_KEY, NAME, ask) as log:
        for batch in (range(200), range(200, 300)):
            log.append([entry(n) for n in batch])
    found, signed = open_checkpoint(store.read("checkpoint"), PUBLIC)
    assert found.size == 300
    assert cosigned(signed, [WITNESS], 1).time == T0


def test_a_witness_tells_its_latest_size_and_takes_a_proof_from_there(url):
    store, raw = log_of(300)
    (line,) = submit(url, submission(store, raw))
    WITNESS.check(open_checkpoint(raw, PUBLIC)[1].text, line.value)
    raw = grow(store, [entry(300)])
    with status(409) as caught:
        submit(url, submission(store, raw))
    assert caught.value.size == 300
    assert len(submit(url, submission(store, raw, 300))) == 1


def test_a_witness_asked_for_two_roots_at_one_size_refuses_the_second(url):
    store, raw = log_of(300)
    fork = store.copy()
    ours = grow(store, [entry(1)])
    theirs = grow(fork, [entry(2)])
    submit(url, submission(store, ours))
    with status(409) as caught:
        submit(url, Submission(301, (), open_checkpoint(theirs, PUBLIC)[1]))
    assert caught.value.size == 301
    assert len(submit(url, Submission(301, (), open_checkpoint(ours, PUBLIC)[1]))) == 1
    assert raw


def test_a_fork_or_a_wrong_proof_is_unprocessable(url):
    store, raw = log_of(300)
    fork = store.copy()
    submit(url, submission(store, grow(store, [entry(1)])))
    longer = grow(fork, [entry(2), entry(3)])
    with status(422):
        submit(url, submission(fork, longer, 301))
    with status(422):
        submit(url, Submission(301, (Digest(bytes(32)),), open_checkpoint(longer, PUBLIC)[1]))
    assert raw


def signed(checkpoint, key=LOG_KEY):
    text = checkpoint.text()
    return Note(text, (note.sign(text, key, checkpoint.origin),))


ROOT = Digest(b"r" * 32)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (Submission(0, (), signed(Checkpoint("unknown.log", 3, ROOT))), 404),
        (Submission(0, (), signed(Checkpoint(NAME, 3, ROOT), SigningKey(bytes(32)))), 403),
        (Submission(4, (), signed(Checkpoint(NAME, 3, ROOT))), 400),
        (Submission(0, (ROOT,), signed(Checkpoint(NAME, 3, ROOT))), 422),
    ],
)
def test_the_status_codes_are_those_of_the_protocol(url, body, code):
    with status(code):
        submit(url, body)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"old 0\n",
        b"old 00\n\n",
        b"old x\n\n",
        b"new 0\n\n",
        b"old 0\nAAAA\n\no\n1\n\n",
        b"old 0\n" + b"\n".join([b"A" * 43 + b"="] * 64) + b"\n\n",
        b"old 0\n\nno note",
    ],
)
def test_a_body_out_of_form_is_a_bad_request(raw):
    with status(400):
        parse_submission(raw)


def test_a_submission_reads_back_as_it_was_written():
    store, raw = log_of(300)
    body = submission(store, raw, 44)
    assert parse_submission(body.dump()) == body


def call(url, path, body, headers=None):
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
    try:
        connection.request("POST", path, body, headers or {})
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_server_answers_other_paths_and_sizes_with_an_error(url, witness, monkeypatch):
    assert call(url, "/other", b"x") == 404
    assert call(url, "/add-checkpoint", b"", {"Content-Length": "-1"}) == 411
    assert call(url, "/add-checkpoint", b"", {"Content-Length": "9999999"}) == 413
    monkeypatch.setattr(witness, "add_checkpoint", lambda *_: 1 / 0)
    assert call(url, "/add-checkpoint", b"x") == 500


def test_a_witness_that_does_not_answer_is_unreachable():
    with pytest.raises(LocalError, check=lambda e: e.reason is Reason.UNREACHABLE):
        submit("http://127.0.0.1:1", Submission(0, (), signed(Checkpoint(NAME, 3, ROOT))))
    with pytest.raises(LocalError, check=lambda e: e.reason is Reason.CONFIG):
        submit("ftp://127.0.0.1", Submission(0, (), signed(Checkpoint(NAME, 3, ROOT))))


def test_an_answer_by_another_witness_counts_for_nothing(url):
    store, raw = log_of(3)
    found, one = open_checkpoint(raw, PUBLIC)
    other = Ed25519Cosigner("witness.example/other", KEY.public)
    with pytest.raises(PeerError, check=lambda e: e.reason is Reason.BAD_COSIGNATURE):
        cosign_by(url, other, store.read, found, one)


def test_an_answer_that_does_not_verify_is_refused(url, monkeypatch):
    store, raw = log_of(3)
    found, one = open_checkpoint(raw, PUBLIC)
    monkeypatch.setattr(
        "parley_attestation.edge.witness_http.cosign", lambda _, *rest: cosign(b"another text\n", *rest)
    )
    with pytest.raises(PeerError, check=lambda e: e.reason is Reason.BAD_SIGNATURE):
        cosign_by(url, WITNESS, store.read, found, one)


def test_what_a_witness_cosigned_is_known_after_a_restart(tmp_path):
    store, raw = log_of(300)
    for n in range(2):
        one = CheckpointWitness(tmp_path / "h.sqlite", KEY, WITNESS.name, [(NAME, PUBLIC)])
        if n == 0:
            one.add_checkpoint(submission(store, raw).dump(), T0)
        else:
            with status(409):
                one.add_checkpoint(submission(store, raw).dump(), T0)
        one.close()


def test_a_witness_killed_after_persisting_refuses_another_root_for_that_size(tmp_path, monkeypatch):
    store, raw = log_of(300)
    fork = store.copy()
    ours, theirs = grow(store, [entry(1)]), grow(fork, [entry(2)])
    one = CheckpointWitness(tmp_path / "h.sqlite", KEY, WITNESS.name, [(NAME, PUBLIC)])

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("parley_attestation.edge.witness_http.cosign", die)
        with pytest.raises(KeyboardInterrupt):
            one.add_checkpoint(submission(store, ours).dump(), T0)
    one.close()
    again = CheckpointWitness(tmp_path / "h.sqlite", KEY, WITNESS.name, [(NAME, PUBLIC)])
    with status(409):
        again.add_checkpoint(submission(fork, theirs).dump(), T0)
    again.close()
    assert raw


def test_a_witness_put_back_to_a_backup_cosigns_a_fork_and_is_proved_at_fault(tmp_path):
    store, _ = log_of(300)
    fork = store.copy()
    notes = []
    for n, (where, name) in enumerate(((store, "a"), (fork, "b"))):
        raw = grow(where, [entry(1000 + n)])
        one = CheckpointWitness(tmp_path / name, KEY, WITNESS.name, [(NAME, PUBLIC)])
        line = one.add_checkpoint(submission(where, raw).dump(), T0 + n)
        notes.append(open_checkpoint(raw, PUBLIC)[1].add(line).dump())
        one.close()
    with pytest.raises(PeerError, check=lambda e: e.reason is Reason.EQUIVOCATION):
        check_cosigner(*notes, WITNESS)
