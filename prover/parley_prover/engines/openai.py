"""Room: the prover. Any endpoint that speaks the OpenAI chat-completions protocol, by the official client.

A prompt is one user message in UTF-8, or a JSON array of {role, content} messages of text: parts that
name addresses would let a verifier make the endpoint fetch them. No error carries an endpoint's text: it
may quote the prompt or the key.
"""

import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any

from parley_attestation.errors import LocalError, Reason
from parley_attestation.output import cut

from parley_prover.engines.base import EngineInfo, Prompt
from parley_prover.engines.config import OpenAIConfig

try:
    import openai
except ImportError as _error:
    raise LocalError(
        Reason.MISSING_EXTRA,
        "the openai engine needs the openai package",
        hint="pip install 'parley[openai]'",
    ) from _error

_ROLES = ("system", "developer", "user", "assistant")
_OVERHEAD = 1 << 20  # bytes of a response besides the answer
_EXPANSION = 6  # bytes of JSON that one byte of an answer can take


class OpenAIEngine:
    """A client of one endpoint, with a pool of threads."""

    def __init__(self, config: OpenAIConfig) -> None:
        """Read the key; nothing is sent yet. Raises `LocalError` (CONFIG)."""
        self._config = config
        self._client = openai.OpenAI(
            base_url=config.base_url,
            api_key=_key(config),
            max_retries=config.retries,
            timeout=config.seconds,
            # A redirect would carry the prompts to a place that nobody configured.
            http_client=openai.DefaultHttpxClient(follow_redirects=False),
        )
        self._pool = ThreadPoolExecutor(config.concurrency, "openai-engine")

    def describe(self) -> EngineInfo:
        """Say what this engine is."""
        return EngineInfo(f"openai:{self._config.model}", openai.__version__, deterministic=False)

    def generate(self, prompts: Sequence[Prompt]) -> list[bytes]:
        """Ask for every prompt, several at a time; a failure ends the batch. Raises `LocalError` (ENGINE)."""
        asked = [(prompt, _messages(number, prompt.content)) for number, prompt in enumerate(prompts)]
        waiting = [self._pool.submit(self._answer, *one) for one in asked]
        try:
            for done in wait(waiting, return_when=FIRST_EXCEPTION).done:
                done.result()
            return [one.result() for one in waiting]
        finally:
            for one in waiting:
                one.cancel()

    def close(self) -> None:
        """End the threads; a request under way is waited for, one time-out at most, and not repeated."""
        self._client.close()
        self._pool.shutdown(cancel_futures=True)

    def _answer(self, prompt: Prompt, messages: list[dict[str, Any]]) -> bytes:
        try:
            raw = self._post(prompt, messages)
        except openai.APIStatusError as error:
            raise LocalError(Reason.ENGINE, f"the endpoint answered HTTP {error.status_code}") from None
        except openai.APITimeoutError:
            raise LocalError(Reason.ENGINE, "the endpoint did not answer in time") from None
        except LocalError:
            raise
        except Exception as error:  # noqa: BLE001 - the client's HTTP library, which changes, raises its own too
            raise LocalError(Reason.ENGINE, f"the endpoint failed: {type(error).__name__}") from None
        return cut(_content(raw), prompt.limit)

    def _post(self, prompt: Prompt, messages: list[dict[str, Any]]) -> bytes:
        """Send one request and read at most a bounded response within the time for one answer."""
        config = self._config
        if config.system is not None:
            messages = [{"role": "system", "content": config.system}, *messages]
        create: Any = self._client.chat.completions.with_streaming_response.create
        sent = {name: value for name, value in _decoding(config, prompt).items() if value is not None}
        limit = _EXPANSION * prompt.limit + _OVERHEAD
        with create(model=config.model, messages=messages, **sent) as response:
            deadline = time.monotonic() + config.seconds
            body = bytearray()
            for part in response.iter_bytes():
                body += part
                if len(body) > limit:
                    raise LocalError(Reason.ENGINE, f"expected a response of at most {limit} bytes")
                if time.monotonic() > deadline:
                    raise LocalError(Reason.ENGINE, "the endpoint did not answer in time")
        return bytes(body)


def _decoding(config: OpenAIConfig, prompt: Prompt) -> dict[str, Any]:
    seed = {"seed": prompt.seed if config.send_seed else None}
    if config.dialect == "reasoning":
        return {"max_completion_tokens": config.max_tokens} | seed
    return {
        "temperature": config.temperature,
        "top_p": config.top_p,
        "max_tokens": config.max_tokens,
        "stop": list(config.stop) or None,
    } | seed


def _key(config: OpenAIConfig) -> str:
    key = "none"  # local servers ask for none, the client insists on one
    try:
        if config.key_file is not None:
            key = config.key_file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        raise LocalError(Reason.CONFIG, f"{config.key_file}: expected a file with the API key") from None
    if config.key_variable is not None:
        key = os.environ.get(config.key_variable, "")
    if not key or not key.isascii() or not key.isprintable():
        where = config.key_file or config.key_variable
        raise LocalError(Reason.CONFIG, f"{where}: expected an API key of printable ASCII characters")
    return key


def _messages(number: int, content: bytes) -> list[dict[str, Any]]:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise LocalError(Reason.BAD_PROMPT, f"prompt {number} of the batch: expected UTF-8 text") from None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, list) and value and all(_is_message(one) for one in value):
        return value
    return [{"role": "user", "content": text}]


def _is_message(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"role", "content"}
        and value["role"] in _ROLES
        and isinstance(value["content"], str)
    )


def _content(raw: bytes) -> bytes:
    """The text of the first choice; empty where the model gave none."""
    try:
        text: str | None = json.loads(raw)["choices"][0]["message"].get("content")
        return b"" if text is None else text.encode()
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise LocalError(
            Reason.ENGINE, "the endpoint answered with something that is no chat completion"
        ) from None
