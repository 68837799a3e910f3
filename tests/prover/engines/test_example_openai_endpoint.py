"""The example's files hold together: its stand-in answers its questions through its configuration."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
from parley_attestation.canonical import Fields
from parley_attestation.grading import Outcome, read_grader
from parley_prover.config import read_config
from parley_prover.engines.base import Prompt
from parley_prover.engines.config import open_engine
from parley_verifier.items import read_items

EXAMPLE = Path(__file__).parents[3] / "examples" / "openai_endpoint"
GRADER = read_grader(Fields({"kind": "contains", "ignore_case": True, "whole_words": True}))


@pytest.fixture(scope="module")
def address():
    command = [sys.executable, str(EXAMPLE / "serve_stub.py"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stub:
        try:
            words = stub.stdout.readline().split()
            assert words[:2] == ["serving", "on"]
            yield words[2]
        finally:
            stub.kill()


@pytest.fixture
def items():
    return list(read_items(EXAMPLE / "questions.jsonl"))


def post(url, body):
    request = urllib.request.Request(url, body)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_the_questions_are_sixty_different_ones_in_three_strata(items):
    assert len({item.prompt for item in items}) == 60
    assert Counter(item.stratum for item in items) == {"geography": 20, "science": 20, "numbers": 20}


def test_every_reference_is_one_that_the_grader_accepts_and_passes(items):
    for item in items:
        GRADER.accept_reference(item.reference)
        assert GRADER.grade(b"The answer is " + item.reference + b".", item.reference) is Outcome.PASS


def test_the_stand_in_answers_through_the_configuration_as_the_readme_says(address, items, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    engine = open_engine(read_config(EXAMPLE / "prover.toml").engine.model_copy(update={"base_url": address}))
    try:
        outputs = engine.generate([Prompt(item.prompt, 1, 300) for item in items])
    finally:
        engine.close()
    grades = Counter(GRADER.grade(o, i.reference) for o, i in zip(outputs, items, strict=True))
    missed = grades[Outcome.FAIL]
    assert missed + grades[Outcome.PASS] == 60
    assert f"misses {missed} of the 60" in " ".join((EXAMPLE / "README.md").read_text().split())


def test_the_readme_names_the_port_that_the_configuration_asks():
    config = read_config(EXAMPLE / "prover.toml").engine
    assert f"serving on {config.base_url}\n" in (EXAMPLE / "README.md").read_text()


def test_the_stand_in_refuses_as_the_protocol_has_it(address):
    chat = f"{address}/chat/completions"
    assert post(chat, b"{")[0] == 400
    assert post(chat, b'{"model": "stub", "messages": []}')[0] == 400
    assert post(chat, b'{"model": "other", "messages": [{"content": "x"}]}')[0] == 404
    assert post(f"{address}/embeddings", b"{}")[0] == 404
    status, body = post(chat, b'{"model": "stub", "messages": [{"content": "What?"}]}')
    assert (status, body["choices"][0]["message"]["content"]) == (200, "I do not know.")
