import os
import subprocess
import textwrap

import pytest
from parley_attestation.errors import LocalError, Reason
from parley_prover.engines.base import Prompt
from parley_prover.engines.config import EngineConfig, open_engine
from pydantic import TypeAdapter, ValidationError

MODULE = """
import os, subprocess, sys, time

def echo(prompts, seeds):
    print("SECRET on stdout"); print("SECRET on stderr", file=sys.stderr); os.write(1, b"raw")
    return [b"%d:" % s + p for p, s in zip(prompts, seeds)]

def sick(prompts, seeds):
    what = prompts[0]
    if what == b"raise": raise ValueError("SECRET " + prompts[0].decode())
    if what == b"die": os._exit(3)
    if what == b"hang":
        child = subprocess.Popen(["sleep", "1000"])
        open(os.environ["PIDS"], "w").write(f"{os.getpid()} {child.pid}")
        time.sleep(1000)
    if what == b"few": return []
    if what == b"text": return ["text"]
    if what == b"long": return [b"x" * 10_000_000]
    if what == b"exit": sys.exit(0)
    return [b"well %d" % os.getpid()] * len(prompts)

def environment(prompts, seeds):
    return [" ".join(sorted(os.environ)).encode()]

def descriptors(prompts, seeds):
    count = "import os; print(len(os.listdir('/proc/self/fd')))"
    found = subprocess.run([sys.executable, "-c", count], capture_output=True, close_fds=False)
    return [found.stdout.strip()]
"""


@pytest.fixture
def start(tmp_path):
    (tmp_path / "mine.py").write_text(textwrap.dedent(MODULE))
    engines = []

    def _start(name, **more):
        value = {"kind": "python", "callable": f"mine:{name}", "path": tmp_path, **more}
        engines.append(open_engine(TypeAdapter(EngineConfig).validate_python(value)))
        return engines[-1]

    yield _start
    for engine in engines:
        engine.close()


def ask(engine, *contents, limit=100):
    return engine.generate([Prompt(c, 2**63 - 1 - n, limit) for n, c in enumerate(contents)])


def refused(call, part):
    with pytest.raises(LocalError) as caught:
        call()
    assert caught.value.reason is Reason.ENGINE
    assert part in caught.value.message
    assert "SECRET" not in str(caught.value)


def test_a_batch_goes_to_the_function_with_its_seeds_and_comes_back_in_order(start):
    found = ask(start("echo"), b"a\x00\n", b"", "ü".encode())
    assert found == [
        b"9223372036854775807:a\x00\n",
        b"9223372036854775806:",
        "9223372036854775805:ü".encode(),
    ]


def test_what_the_function_prints_reaches_neither_the_pipe_nor_our_own_output(start, capfd, tmp_path):
    ask(start("echo"), b"p")
    ask(start("echo", log=tmp_path / "log"), b"p")
    assert capfd.readouterr() == ("", "")
    assert "SECRET on stderr" in (tmp_path / "log").read_text()
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_a_large_batch_passes_in_both_directions(start):
    content = os.urandom(5_000_000)
    assert ask(start("echo"), content, content, limit=6_000_000)[1].endswith(content)


def test_an_exception_is_reported_by_its_class_and_the_engine_goes_on(start):
    engine = start("sick")
    refused(lambda: ask(engine, b"raise"), "ValueError")
    assert ask(engine, b"ok")[0].startswith(b"well")


@pytest.mark.parametrize(
    ("what", "part"), [(b"die", "died"), (b"exit", "died"), (b"few", "gave 0"), (b"text", "TypeError")]
)
def test_a_crash_or_a_wrong_result_is_an_error_and_the_next_batch_finds_a_new_process(start, what, part):
    engine = start("sick")
    before = ask(engine, b"ok")
    refused(lambda: ask(engine, what), part)
    assert ask(engine, b"ok") != before


def test_a_batch_that_takes_too_long_is_killed_with_everything_it_started(start, monkeypatch, tmp_path):
    monkeypatch.setenv("PIDS", str(tmp_path / "pids"))
    engine = start("sick", seconds=3, environment=["PIDS"])
    refused(lambda: ask(engine, b"hang"), "deadline")
    for pid in (tmp_path / "pids").read_text().split():
        state = subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True, check=False)
        assert state.stdout.strip()[:1] in ("", "Z")
    assert ask(engine, b"ok")[0].startswith(b"well")


def test_an_output_over_the_limit_is_cut_between_characters(start):
    assert len(ask(start("sick"), b"long", limit=17)[0]) == 17
    assert ask(start("echo"), "ü".encode(), limit=21) == [b"9223372036854775807:"]


def test_the_process_gets_no_environment_but_the_named_one(start, monkeypatch):
    monkeypatch.setenv("API_TOKEN", "x")
    monkeypatch.setenv("WANTED", "x")
    found = ask(start("environment", environment=["WANTED", "ABSENT"]), b"", limit=10_000)[0].split()
    assert b"WANTED" in found
    assert b"API_TOKEN" not in found


def test_grandchildren_do_not_inherit_the_pipe(start):
    assert int(ask(start("descriptors"), b"")[0]) <= 4


def test_a_function_that_cannot_be_imported_is_refused_at_the_start(start):
    refused(lambda: start("absent"), "AttributeError")


def test_an_import_that_takes_too_long_is_refused_at_the_start(start, tmp_path):
    (tmp_path / "slow.py").write_text("import time; time.sleep(1000)")
    refused(lambda: start("echo", callable="slow:f", start_seconds=0.3), "deadline")


def test_a_closed_engine_leaves_no_process(start):
    engine = start("sick")
    pid = int(ask(engine, b"ok")[0].split()[1])
    engine.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_target_that_is_no_module_and_function_is_refused():
    for target in ("mine", "mine:", "os.system('x'):f", "a:b:c"):
        with pytest.raises(ValidationError):
            TypeAdapter(EngineConfig).validate_python({"kind": "python", "callable": target})
