"""A stand-in for a model behind an OpenAI-compatible endpoint, so that the example runs as it stands.

It is no model: it looks the answers up in questions.jsonl, and misses some, always the same ones.
Point base_url in prover.toml at a real endpoint to measure a real model.
"""

import argparse
import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

QUESTIONS = Path(__file__).with_name("questions.jsonl")
MODEL = "stub"
MAX_BODY = 16 << 20  # bytes of a request


class Stub(ThreadingHTTPServer):
    """The endpoint and the answers that it knows."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        rows = map(json.loads, QUESTIONS.read_text().splitlines())
        self.answers = {row["prompt"]: row["reference"] for row in rows if not missed(row["prompt"])}


def missed(prompt: str) -> bool:
    """Say whether the stub gets this question wrong."""
    return hashlib.sha256(prompt.encode()).digest()[0] % 10 == 0


class Handler(BaseHTTPRequestHandler):
    """The two paths of the protocol that the example needs."""

    protocol_version = "HTTP/1.1"
    server: Stub

    def do_GET(self) -> None:
        """The list of models."""
        if self.path != "/v1/models":
            return self.fail(404, "no such path")
        return self.reply(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    def do_POST(self) -> None:
        """One chat completion."""
        size = self.headers.get("content-length", "")
        if not size.isdecimal() or int(size) > MAX_BODY:
            self.close_connection = True
            return self.fail(413, f"expected a content-length of at most {MAX_BODY}")
        body = self.rfile.read(int(size))
        if self.path != "/v1/chat/completions":
            return self.fail(404, "no such path")
        try:
            request = json.loads(body)
            model, question = request["model"], request["messages"][-1]["content"]
        except (ValueError, LookupError, TypeError):
            return self.fail(400, "expected a chat completion request with model and messages")
        if model != MODEL:
            return self.fail(404, f"the model is called {MODEL}")
        answer = self.server.answers.get(question) if isinstance(question, str) else None
        return self.reply(200, completion(answer or "I do not know."))

    def fail(self, status: int, message: str) -> None:
        """Answer with an error as the protocol has it."""
        self.reply(status, {"error": {"message": message, "type": "invalid_request_error", "code": None}})

    def reply(self, status: int, document: dict) -> None:
        """Answer with JSON."""
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


def completion(text: str) -> dict:
    """The one choice of a chat completion."""
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-stub",
        "object": "chat.completion",
        "created": 0,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }


def main() -> None:
    """Serve until interrupted; the address is the one line on stdout."""
    parser = argparse.ArgumentParser(description="Serve a stand-in for a model on the loopback.")
    parser.add_argument("--port", type=int, default=8000, help="0 takes any free port (default: 8000)")
    with Stub(parser.parse_args().port) as stub:
        print(f"serving on http://127.0.0.1:{stub.server_port}/v1", flush=True)
        try:
            stub.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
