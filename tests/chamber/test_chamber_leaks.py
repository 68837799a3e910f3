"""What leaves a chamber that runs as a process of its own: no window of any prompt, reference or weight.

Looked at are all files, its standard error, every byte that its sockets carried, as sent and decrypted, what
other processes see of it and of its boxes while it runs, swap space, and what a crash or a kill leaves.
"""

import contextlib
import os
import secrets
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from chamber_kit import boxed, program_runtime
from chamber_relay import Relay
from chamber_watch import Watcher, Wire, below, in_swap, swapped
from kit import pipe
from parley_attestation.edge.chamber_client import ChamberClient
from parley_attestation.errors import LocalError, Role
from parley_attestation.sealed_terms import SealedTerms
from parley_attestation.session.tables import State
from parley_chamber import plaintext
from parley_chamber.ledger import RunLedger
from test_chamber_run import windows
from test_chamber_service import Place, started

pytestmark = boxed
# Other items in every process of the tests: what an earlier one left in swap space is not found as theirs.
ITEMS = [
    (f"a hidden prompt, {secrets.token_hex(8)}, of a text task".encode(), b"the hidden reference %04d" % n)
    for n in range(12)
]
# Says what it got wherever it can, and waits until a file of its own scratch is a second old.
LOUD = """
import os, time
sys.stderr.write(open("/in/model/model.onnx", "rb").read().decode("latin-1"))
for prompt in prompts:
    sys.stderr.write(prompt.decode()); open("/tmp/kept", "ab").write(prompt); os.environ["P"] = prompt.decode()
    say(prompt[::-1])
    time.sleep(0.1)
"""
FOREVER = "\nimport time\nfor prompt in prompts:\n    held = prompt\n    time.sleep(600)\n"


def files_below(*folders):
    return {p for folder in folders for p in folder.rglob("*") if p.is_file()}


def contents(paths):
    return b"\0".join(p.read_bytes() for p in paths)


def secrets_of(exercise, program=b""):
    weights = (exercise.weights_folder / "model.onnx").read_bytes()
    return windows(weights).union(windows(program), *(windows(p) | windows(r) for p, r in ITEMS))


def relayed(held, place):
    """Put a relay between the chamber and each party."""
    behind, chamber = int(place.card.endpoint.rpartition(":")[2]), place.parties[Role.CHAMBER]
    relays = {role: Relay(place.parties[role], chamber, behind) for role in (Role.PROVER, Role.VERIFIER)}

    def client(role, journal):
        place.clients.append(ChamberClient(place.parties[role], place.at(relays[role].port), journal, 120))
        return place.clients[-1]

    place.client = client
    for relay in relays.values():
        held.callback(relay.close)
    return behind, relays


def common(folder, code):
    runtime = program_runtime(folder / "program", code)
    place = Place(folder, (runtime,), child=True)
    exercise = place.exercise(
        items=ITEMS,
        program=[("serve.py", folder / "program/serve.py")],
        runtime=runtime.digest(),
        sealed=SealedTerms(program=True, runs=9),
    )
    return place, exercise


@pytest.fixture
def ended():
    with contextlib.ExitStack() as held:
        yield held


def ending(held, place):
    def end():
        for client in place.clients:
            client.close()
        place.process.kill()
        place.process.wait()
        place.process.stdout.close()

    held.callback(end)


def test_no_window_of_a_prompt_reference_or_weight_is_in_any_byte_that_left(tmp_path, ended, monkeypatch):
    place, exercise = common(tmp_path, LOUD)
    ending(ended, place)
    port, relays = relayed(ended, place)
    wire, watcher = Wire(monkeypatch), Watcher(place.process.pid)
    watcher.start()
    v, p = exercise.run()
    seen = watcher.end()
    assert v.machine.state is p.machine.state is State.FINISHED
    assert "refused" not in v.machine.facts.verdict.predicate["chambers"][0]
    assert b"serve.py" in seen, "the program was seen while it ran"
    sent, carried = ([one for r in relays.values() for one in r.said(end)] for end in (0, 1))
    for role, relay in relays.items():
        raw, plain = relay.said(0)
        assert len(raw) > len(plain) > len(exercise.plain[role]), "every byte of the upload came by"
    assert wire.answers
    assert all(any(answer in plain for plain in carried[1::2]) for answer in wire.answers)
    assert not any(answer in raw for answer in wire.answers for raw in carried[::2] if answer)
    assert {local for local, _ in watcher.sockets} <= {port}, "the chamber has no connection but the relays'"
    files = contents(files_below(tmp_path / "chamber", tmp_path / "home") | {tmp_path / "said"})
    verdict = v.machine.facts.verdict.payload()
    left = b"\0".join([files, seen, verdict, *wire.got, *wire.answers, *carried, *sent])
    assert not secrets_of(exercise) & windows(left)
    assert not list(Path("/dev/shm").glob(f"parley-chamber-{place.process.pid}-*"))
    assert any(b"serve.py" in one for one in watcher.programs), "its boxes were looked at as well"
    assert watcher.swapped == 0
    assert not in_swap([part for item in ITEMS for part in item])


def test_swap_space_is_searched_across_its_blocks(tmp_path):
    needle = ITEMS[0][0]
    area = tmp_path / "area"
    area.write_bytes(bytes((1 << 24) - 7) + needle + bytes(100))
    (tmp_path / "swaps").write_text(
        f"Filename Type Size Used Priority\n{area} file 1 0 -2\n/none file 1 0 -2\n"
    )
    assert in_swap([needle, ITEMS[1][0]], tmp_path / "swaps") == {needle}


def test_swapped_memory_of_a_process_is_added_up(tmp_path):
    (tmp_path / "status").write_text("VmRSS:\t  7 kB\nVmSwap:\t  3 kB\n")
    (tmp_path / "smaps_rollup").write_text("Rss: 7 kB\nSwap:  4 kB\nSwapPss:  4 kB\n")
    assert swapped(tmp_path) == 7 << 10


def test_the_scan_finds_what_is_there(tmp_path):
    """A scan that cannot find anything would find nothing."""
    (tmp_path / "leak").write_bytes(b"x" * 1000 + ITEMS[3][0][5:25] + b"y" * 1000)
    assert windows(ITEMS[3][0]) & windows(contents(files_below(tmp_path)))


def running(place, exercise):
    """Begin a run that does not end, in a thread, and wait until its program has started."""
    failed = []

    def go():
        v, p = exercise.ends()
        try:
            pipe(v, p)
        except LocalError as error:
            failed.append(error)

    thread = threading.Thread(target=go)
    thread.start()
    for _ in range(3000):
        if found := boxes_of(place.process.pid):
            return thread, failed, [os.pidfd_open(pid) for pid in found]
        time.sleep(0.01)
    raise AssertionError("the program did not start")


def boxes_of(chamber):
    """The processes below a chamber that run its prover's program."""
    found = []
    for pid in below(chamber):
        with contextlib.suppress(OSError):
            line = Path("/proc", str(pid), "cmdline").read_bytes()
            found += [pid] if b"serve.py" in line and b"bwrap" not in line else []
    return found


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_chamber_that_dies_in_the_middle_leaves_no_core_no_box_and_nothing_on_a_disk(tmp_path, ended, how):
    place, exercise = common(tmp_path, FOREVER)
    ending(ended, place)
    secret = secrets_of(exercise)
    thread, failed, boxes = running(place, exercise)
    kept = list(Path("/dev/shm").glob(f"parley-chamber-{place.process.pid}-*"))
    assert kept, "while it runs, plaintext is on the tmpfs"
    place.process.send_signal(how)
    place.process.wait()
    thread.join()
    assert [error.reason.value for error in failed] == ["UNREACHABLE"]
    left = contents(files_below(tmp_path / "chamber", tmp_path / "home") | {tmp_path / "said"})
    assert not secret & windows(left)
    assert not [p for p in files_below(tmp_path / "home") if "core" in p.name]
    for box in boxes:
        assert select.select([box], [], [], 20)[0], "the boxes went with it"
        os.close(box)
    assert RunLedger(tmp_path / "chamber/runs").outcomes() == ["begun"], "it counts"
    with plaintext.plaintext():
        assert not any(folder.exists() for folder in kept), "the next chamber sweeps"


def test_a_chamber_that_comes_back_ends_the_session_in_a_signed_abort_and_does_not_run_again(tmp_path, ended):
    place, exercise = common(tmp_path, FOREVER)
    ending(ended, place)
    thread, _, _ = running(place, exercise)
    place.process.kill()
    place.process.wait()
    thread.join()
    place.process.stdout.close()
    place.process, port = started(tmp_path, *[program_runtime(tmp_path / "program", FOREVER)])
    place.card = place.at(port)
    v, p = exercise.ends(resumed=True)
    for end in (v, p):
        end.load(next(iter(end.journal.unfinished(end.policy.role))))
    pipe(v, p)
    assert v.machine.state is p.machine.state is State.ABORTED
    assert v.machine.facts.ending.role is Role.VERIFIER
    assert RunLedger(tmp_path / "chamber/runs").outcomes() == ["begun"]


HARD = """
import ctypes, resource
from parley_chamber.plaintext import harden
harden()
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE))
"""


def test_a_process_with_plaintext_cannot_be_dumped_and_leaves_no_core():
    said = subprocess.run([sys.executable, "-c", HARD], capture_output=True, text=True, check=True).stdout
    assert said == "0 (1, 1)\n"
