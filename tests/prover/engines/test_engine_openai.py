"""The engine against a local server that speaks chat completions, well and badly."""

import json
import logging
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from parley_attestation.errors import LocalError, Reason
from parley_prover.engines.base import Prompt
from parley_prover.engines.config import EngineConfig, open_engine
from pydantic import TypeAdapter, ValidationError

SECRET = "the hidden question"
KEY = "sk-very-secret"


def completion(text):
    return json.dumps(
        {
            "id": "c1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            ],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }
    ).encode()


class Endpoint(ThreadingHTTPServer):
    """Answers from `script`, then by echoing the last message; keeps every request."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = []
        self.requests = []
        self.together = None
        self.hold = threading.Event()
        self.lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request, client_address):
        """Clients that hang up are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            server.requests.append((self.path, self.headers, body))
            step = server.script.pop(0) if server.script else 200
        if server.together is not None:
            server.together.wait(timeout=20)
        if step == "hang":
            server.hold.wait(timeout=20)
            self.close_connection = True
            return
        if step == "drip":
            self.drip()
            return
        if step == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"{")
            self.close_connection = True
            return
        if isinstance(step, bytes):
            self.reply(200, step)
        elif step == 307:
            self.reply(307, b"", location=f"{server.elsewhere}/chat/completions")
        elif step == 200:
            self.reply(200, completion("you said: " + str(body["messages"][-1]["content"])))
        else:
            text = body["messages"][-1]["content"]
            self.reply(step, json.dumps({"error": {"message": f"{text} {KEY}", "type": "x"}}).encode())

    def reply(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("retry-after-ms", "1")
        self.end_headers()
        self.wfile.write(body)

    def drip(self):
        """Never silent for long, never done."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        for _ in range(200):
            self.wfile.write(b" ")
            self.wfile.flush()
            if self.server.hold.wait(timeout=0.05):
                return


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "OPENAI_CUSTOM_HEADERS"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@contextmanager
def serving():
    server = Endpoint()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def endpoint():
    with serving() as server:
        yield server


@pytest.fixture
def start(endpoint):
    engines = []

    def _start(**more):
        value = {"kind": "openai", "base_url": endpoint.url, "model": "m", **more}
        engines.append(open_engine(TypeAdapter(EngineConfig).validate_python(value)))
        return engines[-1]

    yield _start
    endpoint.hold.set()
    for engine in engines:
        engine.close()


def ask(engine, *texts, limit=1000):
    return engine.generate([Prompt(t.encode(), 100 + n, limit) for n, t in enumerate(texts)])


def refused(call, part, reason=Reason.ENGINE):
    with pytest.raises(LocalError) as caught:
        call()
    assert caught.value.reason is reason
    assert part in caught.value.message
    assert SECRET not in str(caught.value)
    assert KEY not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_batch_is_answered_in_order_with_the_decoding_parameters_sent(endpoint, start):
    engine = start(temperature=0.5, top_p=0.9, max_tokens=7, stop=["END"], system="Be brief.", concurrency=1)
    assert ask(engine, "one", "two") == [b"you said: one", b"you said: two"]
    path, headers, body = endpoint.requests[1]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer none"
    assert body == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "two"}],
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 7,
        "stop": ["END"],
        "seed": 101,
    }


def test_parameters_that_are_not_set_are_not_sent(endpoint, start):
    ask(start(send_seed=False), "one")
    assert endpoint.requests[0][2].keys() == {"model", "messages", "temperature", "max_tokens"}


def test_requests_run_at_the_same_time_and_keep_their_order(endpoint, start):
    endpoint.together = threading.Barrier(4)  # nobody is answered before four are there
    texts = [str(n) for n in range(8)]
    assert ask(start(concurrency=4), *texts) == [f"you said: {t}".encode() for t in texts]


def test_a_json_array_of_messages_is_a_conversation(endpoint, start):
    turns = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    assert ask(start(), json.dumps(turns)) == [b"you said: c"]
    assert endpoint.requests[0][2]["messages"] == turns


@pytest.mark.parametrize(
    "text",
    ["[]", "[1]", '[{"role":"user"}]', '[{"role":"root","content":"x"}]', '{"role":"user","content":"x"}',
     '[{"role":"user","content":null}]', '[{"role":["user"],"content":"x"}]', '[{"role":"user","content":"x"}',
     '[{"role":"user","content":"x","name":"y"}]', "[" * 100_000, "9" * 5000,
     '[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://10.0.0.1/"}}]}]'],
)  # fmt: skip
def test_json_that_is_no_list_of_messages_of_text_is_one_user_message(endpoint, start, text):
    ask(start(), text)
    assert endpoint.requests[0][2]["messages"] == [{"role": "user", "content": text}]


def test_a_prompt_that_is_not_utf8_is_a_bad_prompt(start, endpoint):
    refused(lambda: start().generate([Prompt(b"\xff", 0, 10)]), "UTF-8", Reason.BAD_PROMPT)
    assert endpoint.requests == []


@pytest.mark.parametrize("status", [429, 500, 503, "cut-then-ok"])
def test_a_passing_failure_is_tried_again(endpoint, start, status):
    endpoint.script = [status, status] if status != "cut-then-ok" else [408]
    assert ask(start(retries=2), SECRET) == [f"you said: {SECRET}".encode()]
    assert len(endpoint.requests) == (3 if status != "cut-then-ok" else 2)


@pytest.mark.parametrize("status", [429, 500])
def test_a_lasting_failure_ends_after_the_configured_tries(endpoint, start, status):
    endpoint.script = [status] * 3
    refused(lambda: ask(start(retries=2), SECRET), f"HTTP {status}")
    assert len(endpoint.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refused_request_is_not_tried_again(endpoint, start, status):
    endpoint.script = [status]
    refused(lambda: ask(start(), SECRET), f"HTTP {status}")
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    "garbage",
    [b"", b"not json", b"[]", b"{}", b'{"choices":[]}', b'{"choices":[{"message":null}]}', b"[" * 100_000,
     b'{"choices":[{"message":{"content":7}}]}', b'{"choices":[{"message":{"content":"\\ud800"}}]}', b"\xff\xfe"],
)  # fmt: skip
def test_a_response_that_is_no_completion_is_an_engine_error(endpoint, start, garbage):
    endpoint.script = [garbage]
    refused(lambda: ask(start(), SECRET), "no chat completion")


def test_a_response_without_text_is_an_empty_output(endpoint, start):
    endpoint.script = [completion(None)]
    assert ask(start(), "x") == [b""]


def test_a_silent_endpoint_is_given_up_in_time(endpoint, start):
    endpoint.script = ["hang"]
    refused(lambda: ask(start(seconds=0.2, retries=0), SECRET), "in time")


def test_an_endpoint_that_drips_is_given_up_in_time(endpoint, start):
    endpoint.script = ["drip"]
    refused(lambda: ask(start(seconds=0.3, retries=0), SECRET), "in time")


def test_a_response_that_breaks_off_is_an_engine_error(endpoint, start):
    endpoint.script = ["cut"]
    refused(lambda: ask(start(retries=0), SECRET), "failed")


def test_nobody_listening_is_an_engine_error(endpoint, start):
    refused(lambda: ask(start(base_url="http://127.0.0.1:1/v1", retries=0), SECRET), "APIConnectionError")


def test_a_response_without_end_is_not_read_to_the_end(endpoint, start):
    endpoint.script = [completion("x" * (3 << 20))]
    refused(lambda: ask(start(), SECRET, limit=10), "at most")


def test_a_long_answer_is_cut_between_characters(endpoint, start):
    endpoint.script = [completion("üü")]
    assert ask(start(), "x", limit=3) == ["ü".encode()]


def test_the_key_comes_from_a_file_or_a_named_variable_and_shows_nowhere(
    endpoint, start, tmp_path, monkeypatch, caplog
):
    caplog.set_level(logging.DEBUG)
    (tmp_path / "key").write_text(KEY + "\n")
    engine = start(key_file=tmp_path / "key")
    ask(engine, "x")
    monkeypatch.setenv("MY_KEY", KEY)
    ask(start(key_variable="MY_KEY"), "x")
    assert [headers["Authorization"] for _, headers, _ in endpoint.requests] == [f"Bearer {KEY}"] * 2
    assert KEY not in caplog.text
    assert KEY not in repr(engine)


def test_a_key_that_is_not_there_is_refused_before_anything_is_sent(start, tmp_path, monkeypatch):
    monkeypatch.delenv("MY_KEY", raising=False)
    refused(lambda: start(key_variable="MY_KEY"), "MY_KEY", Reason.CONFIG)
    refused(lambda: start(key_file=tmp_path / "none"), "none", Reason.CONFIG)
    (tmp_path / "key").write_text("two\nlines")
    refused(lambda: start(key_file=tmp_path / "key"), "printable", Reason.CONFIG)


@pytest.mark.parametrize(
    "bad",
    [
        {"api_key": KEY},
        {"base_url": "file:///etc"},
        {"concurrency": 0},
        {"key_file": "a", "key_variable": "B"},
    ],
)
def test_a_key_in_the_configuration_or_a_value_out_of_bounds_is_refused(bad):
    with pytest.raises(ValidationError):
        TypeAdapter(EngineConfig).validate_python(
            {"kind": "openai", "base_url": "http://x/v1", "model": "m", **bad}
        )


def test_a_reasoning_model_gets_its_own_name_of_the_token_limit(endpoint, start):
    ask(start(dialect="reasoning", max_tokens=5, top_p=0.5, stop=["END"]), "x")
    body = endpoint.requests[0][2]
    assert body.keys() == {"model", "messages", "max_completion_tokens", "seed"}
    assert body["max_completion_tokens"] == 5


def test_a_redirect_is_not_followed(endpoint, start):
    with serving() as elsewhere:
        endpoint.elsewhere = elsewhere.url
        endpoint.script = [307]
        refused(lambda: ask(start(), SECRET), "HTTP 307")
        assert elsewhere.requests == []


def test_the_first_failure_cancels_what_was_not_sent_and_the_engine_answers_the_next(endpoint, start):
    endpoint.script = [200, 400]
    engine = start(concurrency=1)
    refused(lambda: ask(engine, *[SECRET] * 50), "HTTP 400")
    assert ask(engine, "x") == [b"you said: x"]
    assert len(endpoint.requests) < 10  # one thread asks in order: what was not cancelled came before this


def test_a_failure_is_told_while_other_requests_still_hang(endpoint, start):
    endpoint.script = ["hang", 400]
    refused(lambda: ask(start(concurrency=2, retries=0), SECRET, SECRET), "HTTP 400")


def test_a_prompt_with_half_a_surrogate_pair_is_an_engine_error(endpoint, start):
    refused(lambda: ask(start(), '[{"role": "user", "content": "\\ud800"}]'), "failed")
    assert endpoint.requests == []


def test_a_key_in_the_environment_that_nobody_named_is_not_sent(endpoint, start, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    ask(start(), "x")
    assert endpoint.requests[0][1]["Authorization"] == "Bearer none"


def test_no_prompts_are_no_requests(endpoint, start):
    assert start().generate([]) == []
    assert endpoint.requests == []


def test_without_the_package_the_error_names_the_extra(start, monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    monkeypatch.delitem(sys.modules, "parley_prover.engines.openai", raising=False)
    refused(start, "openai package", Reason.MISSING_EXTRA)
