"""Room: the command line. The sealed demo's text task: two-clause reviews, and a small transformer that reads them.

The reviews are made up from a seed: "the soup was not very cold but the waiter was kind". Their judgement is
that of the second clause, and "not" turns a clause round. The model is two layers of attention in one ONNX
file with its tokenizer inside; `examples/text_transformer/train.py` trained and exported it.
"""

import json
import random
from pathlib import Path

MODEL = Path(__file__).with_name("reviews.onnx")
HIDDEN, SEED = 400, 20_261_125
THINGS = [
    "soup",
    "bread",
    "fish",
    "coffee",
    "music",
    "room",
    "bed",
    "view",
    "waiter",
    "service",
    "breakfast",
    "dessert",
    "garden",
    "pool",
    "lift",
]
GOOD = ["good", "warm", "kind", "fresh", "quiet", "clean", "lovely", "quick", "bright", "calm"]
BAD = ["bad", "cold", "rude", "stale", "loud", "dirty", "dull", "slow", "dark", "broken"]
HOW = ["very", "quite", "really", "rather"]
WORDS = sorted({"the", "was", "not", "but", "and", *THINGS, *GOOD, *BAD, *HOW})
JUDGEMENTS = ("complaint", "praise")


def make(count: int, seed: int) -> list[tuple[str, str]]:
    """So many different reviews, each with its judgement."""
    draw, found = random.Random(seed), dict[str, str]()  # noqa: S311 - made-up reviews are no secrets
    while len(found) < count:
        text, judgement = _review(draw)
        found[text] = judgement
    return list(found.items())


def write(folder: Path) -> None:
    """Write `reviews.jsonl`, the items, and `reviews.onnx`, the model."""
    with (folder / "reviews.jsonl").open("w") as out:
        for text, judgement in make(HIDDEN, SEED):
            out.write(json.dumps({"prompt": text, "reference": judgement}) + "\n")
    (folder / MODEL.name).write_bytes(MODEL.read_bytes())


def _review(draw: random.Random) -> tuple[str, str]:
    last, link = draw.random() < 0.5, draw.choice(("but", "and"))
    first = last if link == "and" else not last
    return f"{_clause(draw, first)} {link} {_clause(draw, last)}", JUDGEMENTS[last]


def _clause(draw: random.Random, good: bool) -> str:  # noqa: FBT001 - private, and a truth value by nature
    turned, stressed = draw.random() < 0.4, draw.random() < 0.4
    word = draw.choice(GOOD if good is not turned else BAD)
    how = [draw.choice(HOW)] if stressed else []
    return " ".join(["the", draw.choice(THINGS), "was", *(["not"] if turned else []), *how, word])
