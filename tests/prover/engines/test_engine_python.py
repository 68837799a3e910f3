"""The python engine: what a callable may do to its process, and what of it reaches the prover."""

import fcntl
import json
import os
import select
import signal
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parley_attestation.errors import LocalError, Reason
from parley_prover.engines.base import Prompt
from parley_prover.engines.config import PythonConfig, open_engine
from parley_prover.engines.python_child import DONE, FAILED, MAX_NAME
from pydantic import ValidationError

MODULE = """
import json, os, stat, subprocess, sys, threading

def echo(prompts, seeds):
    return [b"%d:%s" % (seed, prompt) for prompt, seed in zip(prompts, seeds)]

def same(prompts, seeds):
    return prompts

def pid(prompts, seeds):
    return [str(os.getpid()).encode()] * len(prompts)

def chatty(prompts, seeds):
    print("to stdout", flush=True)
    os.write(1, b"to descriptor 1")
    os.write(2, b"to descriptor 2")
    return [sys.stdin.read().encode() + b"answer"]

def moods(prompts, seeds):
    match prompts[0]:
        case b"crash":
            os._exit(3)
        case b"leave":
            sys.exit(0)
        case b"hang":
            threading.Event().wait()
        case b"raise":
            raise KeyError("the secret prompt", prompts[0])
        case b"too few":
            return []
        case b"too many":
            return [b""] * (len(prompts) + 1)
        case b"text":
            return ["text"]
        case b"none":
            return None
        case b"long name":
            raise type("N" * 300, (Exception,), {})
    return pid(prompts, seeds)

def forge(prompts, seeds):
    for fd in map(int, os.listdir("/proc/self/fd")):
        if os.path.exists(f"/proc/self/fd/{fd}") and stat.S_ISSOCK(os.fstat(fd).st_mode):
            os.write(fd, prompts[0])
    return pid(prompts, seeds)

def environment(prompts, seeds):
    return [json.dumps(dict(os.environ)).encode()]

def descriptor(prompts, seeds):
    try:
        os.fstat(int(prompts[0]))
    except OSError:
        return [b"closed"]
    return [b"open"]

def breed(prompts, seeds):
    with open(prompts[0], "wb") as end:
        subprocess.Popen(["sleep", "600"], stdout=end)
    if len(prompts) > 1:
        threading.Event().wait()
    return [b"bred"]

def inherited(prompts, seeds):
    code = "import os; print(sum(os.path.exists(f'/proc/self/fd/{n}') for n in range(3, 100)))"
    return [subprocess.run([sys.executable, "-c", code], close_fds=False, stdout=subprocess.PIPE).stdout.strip()]

number = 7
"""


@pytest.fixture
def start(tmp_path):
    (tmp_path / "answers.py").write_text(MODULE)
    (tmp_path / "leaves.py").write_text("import sys\nsys.exit(1)\n")
    (tmp_path / "waits.py").write_text("import threading\nthreading.Event().wait()\n")
    engines = []

    def make(name="echo", **options):
        target = name if ":" in name else f"answers:{name}"
        config = PythonConfig(kind="python", callable=target, path=tmp_path, **({"seconds": 60} | options))
        engines.append(open_engine(config))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


def ask(engine, *contents, limit=1 << 20):
    return engine.generate([Prompt(content, seed, limit) for seed, content in enumerate(contents)])


def refused(engine, *contents) -> LocalError:
    with pytest.raises(LocalError) as caught:
        ask(engine, *contents)
    assert caught.value.reason is Reason.ENGINE
    return caught.value


def test_every_prompt_is_answered_in_order_with_its_own_seed(start):
    assert ask(start(), b"a", b"b", b"") == [b"0:a", b"1:b", b"2:"]


def test_the_largest_seed_arrives_whole(start):
    assert start().generate([Prompt(b"x", (1 << 63) - 1, 100)]) == [b"9223372036854775807:x"]


def test_no_prompts_are_no_batch(start):
    assert start("moods").generate([]) == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(contents=st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_any_bytes_come_through_the_pipe_as_they_are(shared, contents):
    assert ask(shared, *contents) == contents


@pytest.fixture
def shared(start):
    return start("same")


def test_content_far_larger_than_a_pipe_buffer_passes_both_ways(start):
    large = os.urandom(8 << 20)
    assert ask(start("same"), large, b"small", limit=8 << 20) == [large, b"small"]


def test_an_output_is_cut_at_its_own_limit(start):
    prompts = [Prompt(b"abcdef", 0, 3), Prompt(b"abcdef", 0, 6), Prompt(b"abcdef", 0, 0)]
    prompts += [Prompt("aü".encode(), 0, 2), Prompt("aü".encode(), 0, 3)]
    assert start("same").generate(prompts) == [b"abc", b"abcdef", b"", b"a", "aü".encode()]


def test_what_the_callable_prints_goes_to_the_log_and_never_into_an_answer(start, tmp_path, capfd):
    engine = start("chatty", log=tmp_path / "log")
    assert ask(engine, b"x") == [b"answer"]
    assert ask(engine, b"x") == [b"answer"]
    assert (tmp_path / "log").read_bytes() == b"to stdout\nto descriptor 1to descriptor 2" * 2
    assert capfd.readouterr() == ("", "")


def test_only_the_owner_reads_the_log(start, tmp_path):
    ask(start("chatty", log=tmp_path / "log"), b"x")
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_a_log_that_cannot_be_opened_is_a_fault_of_the_configuration(start, tmp_path):
    with pytest.raises(LocalError, match="No such file") as caught:
        start(log=tmp_path / "absent" / "log")
    assert caught.value.reason is Reason.CONFIG


@pytest.mark.parametrize("how", [b"crash", b"leave"])
def test_a_process_that_dies_is_reported_and_the_next_batch_has_another(start, how):
    engine = start("moods")
    first = ask(engine, b"pid")
    assert "answers:moods died" in refused(engine, how).message
    assert ask(engine, b"pid") != first


def test_a_process_that_died_between_batches_costs_no_batch(start):
    engine = start("pid")
    (before,) = ask(engine, b"x")
    os.kill(int(before), signal.SIGKILL)
    os.waitid(os.P_PID, int(before), os.WEXITED | os.WNOWAIT)
    assert ask(engine, b"x") != [before]


def test_a_callable_that_hangs_is_killed_at_the_deadline(start):
    engine = start("moods", seconds=0.3)
    process = engine._process.pid
    assert "gave no answer in 0.3 s and was stopped" in refused(engine, b"hang").message
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_an_engine_that_was_late_answers_the_next_batch(start):
    engine = start("moods", seconds=3)
    refused(engine, b"hang")
    assert len(ask(engine, b"pid")) == 1


def test_a_callable_that_raises_keeps_its_process_and_tells_no_prompt(start, tmp_path):
    engine = start("moods", log=tmp_path / "log")
    before = ask(engine, b"pid")
    error = refused(engine, b"raise")
    assert error.message == "answers:moods raised KeyError"
    assert error.hint == f"see {tmp_path / 'log'}"
    assert "the secret prompt" in (tmp_path / "log").read_text()
    assert ask(engine, b"pid") == before


@pytest.mark.parametrize("how", [b"too few", b"too many", b"text", b"none"])
def test_anything_but_one_bytes_object_a_prompt_is_refused(start, how):
    engine = start("moods")
    before = ask(engine, b"pid")
    assert "did not return a list of 1 bytes objects" in refused(engine, how).message
    assert ask(engine, b"pid") == before


def test_a_class_name_is_cut_so_that_the_frame_stays_whole(start):
    engine = start("moods")
    before = ask(engine, b"pid")
    assert refused(engine, b"long name").message == f"answers:moods raised {'N' * 100}"
    assert ask(engine, b"pid") == before


@pytest.mark.parametrize(
    "numbers",
    [(3, 1), (1 << 63, 1), (DONE, 0), (DONE, 2), (DONE, 1, 102), (DONE, 1, 1 << 63), (FAILED, MAX_NAME + 1)],
)
def test_bytes_on_the_pipe_that_are_no_frame_of_this_batch_end_the_process(start, numbers):
    engine = start("forge")
    forged = b"".join(number.to_bytes(8, "big") for number in numbers)
    process = engine._process.pid
    with pytest.raises(LocalError, match="broke its framing"):
        ask(engine, forged, limit=100)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_reply_that_nobody_asked_for_ends_the_process_before_the_next_batch(start):
    engine = start("forge")
    forged = b"".join(number.to_bytes(8, "big") for number in (DONE, 1, 0))
    assert ask(engine, forged) == [b""]
    before = engine._process.pid
    select.select([engine._pipe.channel], [], [], 30)  # the honest reply, now out of its turn
    assert ask(engine, forged) == [b""]
    assert engine._process.pid != before


def test_the_process_sees_only_the_variables_it_was_given(start, monkeypatch, tmp_path):
    monkeypatch.setenv("WANTED", "yes")
    monkeypatch.setenv("API_KEY", "secret")
    (seen,) = ask(start("environment", environment=["WANTED", "UNSET"]), b"x")
    names = {"PATH", "PYTHONPATH", "WANTED"}
    values = {name: value for name, value in json.loads(seen).items() if name != "LC_CTYPE"}
    assert set(values) == names  # Python itself sets LC_CTYPE where no locale is given
    assert values["WANTED"] == "yes"
    assert values["PYTHONPATH"] == str(tmp_path)


def test_the_process_inherits_no_open_file(start, tmp_path):
    with (tmp_path / "secret").open("w") as secret:
        copy = fcntl.fcntl(secret, fcntl.F_DUPFD, 200)
        os.set_inheritable(copy, True)
        try:
            assert ask(start("descriptor"), b"%d" % copy) == [b"closed"]
        finally:
            os.close(copy)


def test_close_kills_what_the_callable_started(start, tmp_path):
    engine = start("breed")
    os.mkfifo(tmp_path / "fifo")
    end = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert ask(engine, os.fsencode(tmp_path / "fifo")) == [b"bred"]
        assert select.select([end], [], [], 0) == ([], [], [])  # the grandchild holds the other end
        engine.close()
        assert select.select([end], [], [], 30) == ([end], [], [])
        assert os.read(end, 1) == b""
    finally:
        os.close(end)


def test_a_deadline_kills_what_the_callable_started(start, tmp_path):
    engine = start("breed", seconds=3)
    os.mkfifo(tmp_path / "fifo")
    end = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    try:
        refused(engine, os.fsencode(tmp_path / "fifo"), b"and wait")
        assert select.select([end], [], [], 30) == ([end], [], [])
        assert os.read(end, 1) == b""
    finally:
        os.close(end)


def test_what_the_callable_starts_does_not_inherit_the_pipe(start):
    assert ask(start("inherited"), b"x") == [b"0"]


@pytest.mark.parametrize("target", ["answers", "answers:", "os.system('x'):f", "a:b:c"])
def test_a_target_that_is_no_module_and_function_is_refused(target):
    with pytest.raises(ValidationError):
        PythonConfig(kind="python", callable=target)


def test_a_closed_engine_can_be_closed_again(start):
    engine = start()
    engine.close()
    engine.close()


def test_an_interrupted_batch_leaves_no_process_behind(start, monkeypatch):
    engine = start("pid")
    before = ask(engine, b"x")

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(engine, "_reply", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ask(engine, b"x")
    with pytest.raises(ProcessLookupError):
        os.kill(int(before[0]), 0)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("absent:echo", "absent:echo raised ModuleNotFoundError"),
        ("answers:absent", "answers:absent raised AttributeError"),
        ("answers:number", "answers:number raised TypeError"),
        ("leaves:echo", "leaves:echo died while it was imported"),
    ],
)
def test_what_cannot_be_imported_is_refused_at_the_start(start, target, message):
    with pytest.raises(LocalError) as caught:
        start(target)
    assert (caught.value.reason, caught.value.message) == (Reason.ENGINE, message)
    assert "log" in caught.value.hint


def test_an_import_that_never_ends_is_stopped(start):
    with pytest.raises(LocalError, match=r"was not imported in 0\.3 s"):
        start("waits:echo", start_seconds=0.3)


def test_a_module_in_the_working_folder_is_not_imported_by_accident(start, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "json.py").write_text("raise RuntimeError")
    monkeypatch.chdir(tmp_path / "here")
    assert ask(start(), b"x") == [b"0:x"]


def test_the_engine_says_what_it_runs_and_promises_no_determinism(start):
    info = start().describe()
    assert info.name == "python:answers:echo"
    assert info.version == sys.version.split()[0]
    assert not info.deterministic
    assert info.execution_class is None
