"""The adversary suite: other people's code in a box, run for real. It gets nothing and is stopped."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from chamber_kit import boxed
from parley_attestation.errors import LocalError, Reason
from parley_chamber import sandbox
from parley_chamber.sandbox import NONE, Box, Limits, Sandbox

pytestmark = boxed
SMALL = Limits(memory=1 << 30, seconds=20, output=1 << 16, scratch=4 << 20)
MARK = "dd0a7c41: the hidden reference"


def hostile(code, files=(), limits=SMALL, stdin=()):
    """Run Python code in a box; what it prints comes out."""
    program = (os.path.realpath(sys.executable), "-I", "-S", "-c", code)
    return Sandbox.find().run(Box(program, dict(files), limits), stdin).decode()


def stopped(reason, code, **more):
    with pytest.raises(LocalError) as caught:
        hostile(code, **more)
    assert caught.value.reason is reason
    return caught.value


def test_boxes_can_be_made_here():
    assert sandbox.blocked() == "", (
        "where they cannot, these tests are skipped, but not in continuous integration"
    )


def test_a_box_reads_its_files_and_its_input_and_writes_its_output(tmp_path):
    (tmp_path / "model").write_text("weights")
    code = "import sys; print(open('/in/model').read(), sys.stdin.read())"
    assert hostile(code, {"/in/model": tmp_path / "model"}, stdin=[b"pro", b"mpt"]) == "weights prompt\n"


def test_the_tests_store_is_not_there(tmp_path):
    (tmp_path / "store").write_text(MARK)
    code = f"""
import os
found = []
for name in ({str(tmp_path / "store")!r}, "/proc/1/root{tmp_path}/store", "/proc/self/cwd{tmp_path}/store"):
    try: found.append(open(name).read())
    except OSError: pass
for folder, below, names in os.walk("/"):
    if folder in ("/proc", "/usr", "/dev", {sys.base_prefix!r}) or folder.endswith("site-packages"):
        below.clear()
        continue
    for name in names:
        try: found += [x for x in [open(os.path.join(folder, name), "rb").read(1 << 16)] if {MARK.encode()!r} in x]
        except OSError: pass
print(found)
"""
    assert hostile(code) == "[]\n"


def test_no_other_process_environment_or_descriptor_is_seen():
    os.environ["PARLEY_TEST_MARK"] = MARK
    try:
        code = """
import os
pids = [int(p) for p in os.listdir("/proc") if p.isdigit()]
lines = [open(f"/proc/{p}/cmdline").read() for p in pids]
handles = sorted(map(int, os.listdir("/proc/self/fd")))
print(len(pids), dict(os.environ), handles[:-1], any("py" "test" in l for l in lines))
"""
        seen = hostile(code)
    finally:
        del os.environ["PARLEY_TEST_MARK"]
    assert MARK not in seen
    assert seen.startswith(("1 ", "2 "))
    assert seen.rstrip().endswith("[0, 1, 2] False")


def test_no_socket_of_any_kind_opens():
    code = """
import socket
said = []
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK, socket.AF_VSOCK):
    try: socket.socket(family, socket.SOCK_STREAM); said.append("open")
    except OSError as error: said.append(error.errno)
try: socket.socketpair(); said.append("open")
except OSError as error: said.append(error.errno)
print(said)
"""
    assert hostile(code) == f"{[38] * 6}\n"


def test_no_call_leads_out_of_the_box():
    """unshare, mount, ptrace, io_uring_setup, bpf, keyctl, perf_event_open, process_vm_readv, userfaultfd, setns."""
    code = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
said = []
for number in (272, 165, 101, 425, 321, 250, 298, 310, 323, 308):
    said.append((libc.syscall(number, 0x10000000, 0, 0, 0, 0), ctypes.get_errno()))
print(said)
"""
    assert hostile(code) == f"{[(-1, 38)] * 10}\n"


def test_nothing_is_written_elsewhere(tmp_path):
    (tmp_path / "model").write_text("weights")
    code = f"""
import os
written = []
devices = ["/dev/x", "/dev/shm/x", "/proc/self/comm"]
devices += [f"/proc/sys/kernel/{{name}}" for name in ("hostname", "core_pattern", "modprobe", "sysrq")]
for name in ("/x", "/usr/x", "/in/x", "/in/model", *devices, {str(tmp_path)!r} + "/x"):
    try:
        os.open(name, os.O_WRONLY | os.O_CREAT)
        written.append(name)
    except OSError: pass
print(written)
"""
    assert hostile(code, {"/in/model": tmp_path / "model"}) == "[]\n"
    assert (tmp_path / "model").read_text() == "weights"
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_the_scratch_space_is_bounded_and_gone_afterwards():
    code = f"runs_from = {Path(__file__).parts + Path(sys.prefix).parts}\n"
    code += """
import os
print([name for name in os.listdir("/tmp") if name not in runs_from])
wrote = 0
try:
    for n in range(100): wrote += open(f"/tmp/{n}", "wb").write(bytes(1 << 20))
except OSError as error: print(error.errno)
print(wrote <= 4 << 20)
"""
    assert hostile(code) == hostile(code) == "[]\n28\nTrue\n"


def test_memory_ends_at_the_limit():
    error = stopped(Reason.BOX_FAILED, f"print({MARK!r}); x = bytearray(2 << 30)")
    assert MARK not in str(error), "nothing that the box said leaves it"
    assert hostile("x = bytearray(1 << 28); print(len(x))") == f"{1 << 28}\n"


def processes_with(mark: bytes) -> list[int]:
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found += [int(line.parent.name)] if mark in line.read_bytes() else []
    return found


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "import time; time.sleep(1000)",
        "import os; os.close(1); os.close(0)\nwhile True: pass",
    ],
)
def test_time_ends_at_the_limit_and_nothing_is_left_running(code):
    mark = f"mark = {time.monotonic_ns()}"
    stopped(Reason.BOX_TIME, f"{mark}\n{code}", limits=Limits(memory=1 << 30, seconds=1))
    assert processes_with(mark.encode()) == []


def test_a_fork_bomb_does_not_start():
    code = """
import os, ctypes
said = []
try: os.fork(); said.append("forked")
except OSError as error: said.append(error.errno)
libc = ctypes.CDLL(None, use_errno=True)
for number in (57, 58): said.append(libc.syscall(number))
print(said)
"""
    assert hostile(code) == "[1, -1, -1]\n"


def test_threads_end_at_the_limit_of_memory_and_the_machine_does_not_notice():
    code = """
import threading, time
n = 0
try:
    while n < 100_000:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start(); n += 1
except (RuntimeError, MemoryError): pass
import os
os.write(1, b"some" if n < 600 else b"many"); os._exit(0)
"""
    assert hostile(code) == "some"


def test_output_ends_at_the_limit():
    stopped(Reason.BOX_OUTPUT, "import sys\nwhile True: sys.stdout.write('x' * 4096)")


def test_limits_cannot_be_raised_again():
    code = """
import resource
try: resource.setrlimit(resource.RLIMIT_AS, (-1, -1)); print("raised")
except (ValueError, OSError): print("kept")
"""
    assert hostile(code) == "kept\n"


def test_a_box_has_every_limit_for_good():
    code = """
import json, resource
names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
print(json.dumps({name: resource.getrlimit(getattr(resource, name)) for name in names}))
"""
    found, limits = json.loads(hostile(code)), {}
    limits["RLIMIT_CPU"] = SMALL.seconds * os.cpu_count() + 5  # every processor all the time, and some slack
    limits |= {"RLIMIT_AS": SMALL.memory, "RLIMIT_FSIZE": SMALL.scratch, "RLIMIT_NPROC": 512}
    limits |= {"RLIMIT_NOFILE": 256, "RLIMIT_CORE": 1, "RLIMIT_MEMLOCK": 0}
    assert {name: found[name] for name in limits} == {name: [value] * 2 for name, value in limits.items()}


def test_a_box_that_reads_nothing_does_not_hang_its_chamber():
    assert hostile("print('done')", stdin=(bytes(1 << 20) for _ in range(64))) == "done\n"


def test_bytes_pass_in_both_directions_at_once():
    code = "import sys, shutil; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer, 1000)"
    limits = Limits(memory=1 << 30, seconds=20, output=8 << 20)
    assert hostile(code, limits=limits, stdin=(b"a" * (1 << 20) for _ in range(8))) == "a" * (8 << 20)


def test_a_python_program_of_the_chamber_runs_in_a_box():
    assert Sandbox.find().run(Box(sandbox.python("platform"))).startswith(b"Linux")


@pytest.mark.skipif(os.geteuid() != 0, reason="this refusal is for root")
def test_root_gets_no_box_of_many_processes():
    with pytest.raises(LocalError) as caught:
        hostile("", limits=Limits(processes=8))
    assert caught.value.reason is Reason.CONFIG


def test_without_bubblewrap_a_chamber_refuses_with_the_reason_unless_told_otherwise(monkeypatch):
    monkeypatch.setattr(sandbox.shutil, "which", lambda _: None)
    sandbox.blocked.cache_clear()
    try:
        with pytest.raises(LocalError) as caught:
            Sandbox.find()
        assert "bwrap" in caught.value.message
        assert "--unsafe-no-sandbox" in caught.value.hint
        assert Sandbox.find(unsafe=True).kind == NONE
    finally:
        sandbox.blocked.cache_clear()


def test_without_user_namespaces_the_reason_is_said(monkeypatch):
    monkeypatch.setattr(sandbox.shutil, "which", lambda _: "/bin/false")
    sandbox.blocked.cache_clear()
    try:
        assert "user namespaces" in sandbox.blocked()
    finally:
        sandbox.blocked.cache_clear()


def test_a_box_whose_chamber_is_gone_before_it_stands_starts_nothing(tmp_path):
    """bubblewrap ties a box to the life of its chamber a moment after it was started."""
    limits = (str(1 << 30), "20", str(1 << 20), "512")
    command = (sys.executable, sandbox._ENTRY, *limits, "/usr/bin/touch", tmp_path / "started")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"\0")
    assert not (tmp_path / "started").exists()
    subprocess.run(command, input=b"\0", check=True, capture_output=True)
    assert (tmp_path / "started").exists()


def test_an_unsafe_box_still_has_its_limits():
    program = (
        os.path.realpath(sys.executable),
        "-I",
        "-S",
        "-c",
        "import json, resource; print(json.dumps(resource.getrlimit(resource.RLIMIT_AS)))",
    )
    assert json.loads(Sandbox(NONE).run(Box(program, limits=SMALL))) == [1 << 30, 1 << 30]
