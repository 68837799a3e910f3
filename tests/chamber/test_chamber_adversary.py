"""The adversary suite of a whole sealed run: hostile model and grader code, run for real, gets nothing.

The prover's program answers `nothing` where its attack got it nothing, which is what the tests' references
say: so the receipt itself counts the attacks that failed. What a program can still tell is measured in
bits in `benchmarks/channel.py`.
"""

import contextlib
import os
import secrets
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from chamber_kit import LIMITS, RUNTIME, boxed, program_runtime
from parley_attestation.edge import packages as written
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.receipt import read_receipt
from parley_attestation.runtime import ProgramRuntime, read_runtime
from parley_attestation.sealed_terms import SealedTerms
from parley_attestation.session.tables import State
from parley_chamber import run
from parley_chamber.sandbox import Limits
from test_chamber_run import Sealing, ends
from test_chamber_session import Link, SealedExercise

pytestmark = boxed
ITEMS = [(f"[{n}, {n + 1}, 0] a hidden prompt".encode(), b"nothing") for n in range(4)]
SMALL = Limits(memory=1 << 30, seconds=20, scratch=4 << 20)


def attack(tmp_path, code, **more):
    """Run a prover's program over four prompts; `attempt()` gives what it got, or None."""
    answers = "\nfor prompt in prompts: say(attempt() or b'nothing')\n"
    return Sealing(tmp_path, {"items": ITEMS}, code=code + answers, **({"limits": SMALL} | more))


def gets_nothing(sealing):
    receipt = read_receipt(sealing.go(), sealing.stated)
    assert receipt.counts[0].successes == len(ITEMS)
    return receipt


def test_the_prover_s_program_answers_and_the_verdict_names_it(tmp_path):
    code = "\nimport json\nfor prompt in prompts:\n  x = json.loads(prompt); say(str(x.index(max(x))).encode())\n"
    runtime = program_runtime(tmp_path / "program", code)
    exercise = SealedExercise(
        tmp_path,
        links=(Link(tmp_path, runtime=runtime),),
        program=[("serve.py", tmp_path / "program/serve.py")],
        runtime=runtime.digest(),
        sealed=SealedTerms(program=True),
    )
    v, _ = exercise.run()
    assert v.machine.state is State.FINISHED
    said = v.machine.facts.verdict.predicate
    metric_claim, identity = said["claims"]
    assert (metric_claim["verdict"], metric_claim["successes"]) == ("COMPLIANT", 60)
    assert identity["verdict"] == said["identity"] == said["overall"] == "INCONCLUSIVE"
    assert "the prover's program" in identity["because"][0]
    assert said["chambers"][0]["execution_class"] == "none"


def test_a_program_that_has_no_answer_says_so_and_an_attack_that_gets_something_would_be_counted(tmp_path):
    sealing = Sealing(tmp_path, {"items": ITEMS}, code="\nfor p in prompts: say(None)\n")
    assert read_receipt(sealing.go(), sealing.stated).counts[0].successes == 0
    (tmp_path / "b").mkdir()
    lucky = attack(tmp_path / "b", "\ndef attempt(): return open('/in/model/model.onnx', 'rb').read(16)\n")
    assert read_receipt(lucky.go(), lucky.stated).counts[0].successes == 0, "its own weights it may read"


@pytest.mark.parametrize(
    "change",
    [lambda c: c + b"# altered", lambda c: c.replace(b"a hidden", b"another")],
    ids=["altered", "same size"],
)
def test_another_program_than_the_terms_name_does_not_start_and_blames_the_prover(tmp_path, change):
    sealing = attack(tmp_path, "\n# a hidden thing\ndef attempt(): pass\n")
    place = tmp_path / "program/serve.py"
    place.write_bytes(change(place.read_bytes()))
    ends(sealing, Reason.BAD_RUNTIME, Role.PROVER)


def test_a_program_where_the_terms_name_a_built_in_runtime_is_refused(tmp_path):
    sealing = Sealing(tmp_path)
    (tmp_path / "program").mkdir()
    (tmp_path / "program/serve.py").write_text("")
    sealing.code = "now there is one"
    ends(sealing, Reason.BAD_RUNTIME, Role.PROVER)
    job = replace(sealing.job, runtime=ProgramRuntime(("/x",), ()))
    with pytest.raises(PeerError):
        run.SealedRun(sealing.run._chamber, job, sealing.ledger, sealing.stated.keys.hpke)


@pytest.mark.parametrize("name", ["model.pkl", "model.onnx"])
def test_a_model_with_a_pickle_in_it_is_refused_with_that_reason(tmp_path, name):
    sealing = Sealing(tmp_path)
    folder = tmp_path / "pickled"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"\x80\x04\x95 a pickle by its first bytes")
    if name == "model.pkl":
        sealing.exercise.weights_folder = folder
        files = [(name, sealing.folder / "registered/model.onnx")]
        content = b"".join(written.write_weights(sealing.exercise.secret, files))
    else:
        content = sealing.weights(folder)
    ends(sealing, Reason.PICKLED, Role.PROVER, weights=content)


def test_model_code_does_not_find_the_store_of_the_tests(tmp_path):
    (tmp_path / "store").write_bytes(ITEMS[0][0])
    code = f"""
import os
def attempt():
    for name in ("/dev/shm", {str(tmp_path)!r}, "/proc/1/root/dev/shm", "/proc/self/root/dev/shm", "/in"):
        for folder, _, names in os.walk(name):
            for one in names:
                path = os.path.join(folder, one)
                if path.startswith(("/in/model/", "/in/program/")): continue
                try: return path.encode() + open(path, "rb").read(64)
                except OSError: pass
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or int(pid) == os.getpid(): continue
        if found := open(f"/proc/{{pid}}/environ", "rb").read(): return found
        try: links = [os.readlink(f"/proc/{{pid}}/fd/{{n}}") for n in os.listdir(f"/proc/{{pid}}/fd")]
        except OSError: continue
        for link in links:
            if link.startswith("/") and link != "/dev/null": return link.encode()
"""
    gets_nothing(attack(tmp_path, code))


def test_model_code_writes_nowhere_that_outlives_its_box(tmp_path):
    code = f"""
def attempt():
    for path in ("/in/model/x", "/in/program/x", "/in/x", "/dev/shm/x", "/x", "/usr/x", {str(tmp_path)!r} + "/x"):
        try: open(path, "wb").write(prompt); return path.encode()
        except OSError: pass
    open("/tmp/note", "wb").write(prompt)  # its own scratch goes with its box
"""
    gets_nothing(attack(tmp_path, code))
    assert not (tmp_path / "x").exists()
    assert not Path("/tmp/note").exists()


def test_model_code_has_no_socket_but_local_ones_and_reaches_nobody_with_them(tmp_path):
    """The machine listens on a path, on an abstract name and on the loopback; and nobody of the box's calls."""
    name = f"parley-{secrets.token_hex(8)}"
    with contextlib.ExitStack() as held:
        ports = []
        for family, address in (
            (socket.AF_UNIX, str(tmp_path / "host.sock")),
            (socket.AF_UNIX, f"\0{name}"),
            (socket.AF_UNIX, f"/dev/shm/{name}"),
            (socket.AF_INET, ("127.0.0.1", 0)),
        ):
            one = held.enter_context(socket.socket(family))
            one.bind(address)
            one.listen()
            one.setblocking(False)
            ports.append(one)
        held.callback(Path(f"/dev/shm/{name}").unlink)
        code = f"""
import os, socket
def attempt():
    for family in range(46):
        if family == socket.AF_UNIX: continue
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
            try: socket.socket(family, kind); return b"a socket of family %d" % family
            except OSError: pass
    for address in ({str(tmp_path / "host.sock")!r}, "\\0{name}", "/dev/shm/{name}", "/run/dbus/system_bus_socket"):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
            try: socket.socket(socket.AF_UNIX, kind).connect(address); return address.encode()
            except OSError: pass
    for number in range(3, 256):
        try: return socket.socket(fileno=os.dup(number)).recv(1)
        except OSError: pass
    one, two = socket.socketpair()  # its own processes may speak with each other
    one.send(prompt)
    assert two.recv(100) == prompt
"""
        gets_nothing(attack(tmp_path, code))
        for one in ports:
            with pytest.raises(BlockingIOError):
                one.accept()


def test_model_code_starts_no_process_and_calls_no_way_out(tmp_path):
    code = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def attempt():
    try:
        if os.fork() == 0: os._exit(0)
        return b"a process"
    except OSError: pass
    for number in (272, 165, 101, 425, 321, 250, 298, 310, 323, 308, 435):
        if libc.syscall(number, 0x10000000, 0, 0, 0, 0) != -1: return str(number).encode()
"""
    gets_nothing(attack(tmp_path, code))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("x = bytearray(2 << 30)", Reason.BOX_FAILED),
        ("while True: pass", Reason.BOX_TIME),
        ("for p in prompts: say(b'x' * (limit + 1))", Reason.BOX_OUTPUT),
        ("for p in prompts: say(b'x' * limit); say(b'x')", Reason.BOX_OUTPUT),
        ("for p in prompts: sys.stderr.write(p.decode())", Reason.BOX_FAILED),
        ("import ctypes; ctypes.string_at(0)", Reason.BOX_FAILED),
        ("open('/tmp/x', 'wb').write(bytes(8 << 20))", Reason.BOX_FAILED),
    ],
    ids=["memory", "time", "long answers", "many answers", "no answers", "a crash", "scratch"],
)
def test_model_code_that_exhausts_or_breaks_something_ends_in_a_code(tmp_path, code, reason, capfd):
    before = set(Path.cwd().iterdir())
    sealing = attack(tmp_path, f"\n{code}\n", limits=replace(SMALL, seconds=2))
    ends(sealing, reason, None)
    said = capfd.readouterr()
    assert "hidden" not in said.out + said.err
    assert set(Path.cwd().iterdir()) == before, "no core"


def test_whatever_model_code_does_with_lengths_what_leaves_has_one_shape(tmp_path):
    left = []
    for name, code in (("short", "say(b'')"), ("long", "say(prompt * 10)"), ("none", "say(None)")):
        (tmp_path / name).mkdir()
        each = f"\nfor prompt in prompts: {code}\n"
        sealing = Sealing(tmp_path / name, {"items": ITEMS}, code=each, limits=SMALL)
        outcome = sealing.go()
        left.append((len(outcome), read_receipt(outcome, sealing.stated)))
    assert len({size for size, _ in left}) == 1
    assert len({(r.counts, r.begun, r.run, r.bits) for _, r in left}) == 1


def test_grader_code_does_not_find_the_weights(tmp_path, monkeypatch):
    """Graders are data; should one become code, it sits in a box without weights."""
    code = """
import os, struct, sys
sys.stdin.buffer.read()
found = any(os.walk("/in")) or any("model" in n for n in os.listdir("/tmp"))
for pid in os.listdir("/proc"):
    try: found = found or (pid.isdigit() and "model" in open(f"/proc/{pid}/maps").read())
    except OSError: pass
sys.stdout.buffer.write((struct.pack(">Q", 1) + bytes([1 if not found else 0])) * 4)
"""
    hostile = (os.path.realpath(sys.executable), "-I", "-S", "-c", code)
    monkeypatch.setattr(run, "python", lambda *_: hostile)
    sealing = Sealing(tmp_path, {"items": ITEMS}, limits=LIMITS)
    assert read_receipt(sealing.go(), sealing.stated).counts[0].successes == len(ITEMS)


def test_grader_code_that_writes_more_than_codes_is_stopped(tmp_path, monkeypatch):
    code = "import sys; w = sys.stdin.buffer.read(); sys.stdout.buffer.write(w)"
    monkeypatch.setattr(run, "python", lambda *_: (os.path.realpath(sys.executable), "-I", "-S", "-c", code))
    ends(Sealing(tmp_path, {"items": ITEMS}), Reason.BOX_OUTPUT, None)


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "program", "command": ["serve"], "files": [], "processes": 1},
        {"kind": "program", "command": [], "files": [], "processes": 1},
        {"kind": "program", "command": ["/x"], "files": [], "processes": 0},
        {
            "kind": "program",
            "command": ["/x"],
            "files": [{"path": "../x", "sha256": "00" * 32}],
            "processes": 1,
        },
        {
            "kind": "program",
            "command": ["/x"],
            "files": [{"path": p, "sha256": "00" * 32} for p in "ba"],
            "processes": 1,
        },
        {"kind": "program", "command": ["/x"], "files": [], "processes": 1, "network": True},
    ],
    ids=["relative", "empty", "no process", "leaves", "disordered", "unknown field"],
)
def test_documents_of_programs_are_read_strictly(document):
    with pytest.raises(PeerError) as caught:
        read_runtime(document)
    assert caught.value.reason is Reason.BAD_RUNTIME


def test_documents_of_programs_are_read_as_they_are_written(tmp_path):
    runtime = program_runtime(tmp_path, "")
    assert read_runtime(runtime.document()) == runtime
    assert read_runtime(RUNTIME.document()) == RUNTIME
