"""Trains the small transformer of `parley demo --sealed` and exports it as one ONNX file.

    pip install autograd onnx numpy
    python examples/text_transformer/train.py reviews.onnx

It takes a minute. The model reads text: the tokenizer is the first node of the graph, so that the file
that is registered holds everything between a prompt's words and its answer, and a chamber that runs the
file under the built-in runtime runs all of it. `chamber runtime --dtype string --shape 1` names it.
"""

import sys
from pathlib import Path
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import grad
from onnx import TensorProto, helper, numpy_helper
from parley_cli.reviews import JUDGEMENTS, WORDS, make

LAYERS, WIDTH, INNER, LONGEST = 2, 16, 32, 16
STEPS, BATCH, RATE, SEED = 190, 64, 5e-3, 7
Weights = dict[str, Any]


def start() -> Weights:
    """Random weights."""
    draw = np.random.default_rng(SEED)
    found = {
        "words": draw.normal(0, 0.3, (len(WORDS) + 1, WIDTH)),
        "places": draw.normal(0, 0.3, (LONGEST, WIDTH)),
        "head": draw.normal(0, 0.2, (WIDTH, 2)),
        "bias": np.zeros(2),
    }
    for layer in range(LAYERS):
        for name in ("query", "key", "value", "mix"):
            found[f"{name}{layer}"] = draw.normal(0, WIDTH**-0.5, (WIDTH, WIDTH))
        found[f"up{layer}"] = draw.normal(0, WIDTH**-0.5, (WIDTH, INNER))
        found[f"down{layer}"] = draw.normal(0, INNER**-0.5, (INNER, WIDTH))
    return found


def encode(rows: list[tuple[str, str]]) -> tuple[Any, Any]:
    """Token numbers, padded with 0, and the judgements."""
    numbers = {word: n for n, word in enumerate(WORDS, 1)}
    tokens = np.zeros((len(rows), LONGEST), int)
    for row, (text, _) in enumerate(rows):
        found = [numbers[word] for word in text.split()]
        tokens[row, : len(found)] = found
    return tokens, np.array([JUDGEMENTS.index(said) for _, said in rows])


def forward(w: Weights, tokens: Any) -> Any:
    """The two logits of every row."""
    there = (tokens > 0).astype(float)
    x = w["words"][tokens] + w["places"][None, :, :]
    for n in range(LAYERS):
        query, key, value = (anp.dot(x, w[f"{name}{n}"]) for name in ("query", "key", "value"))
        score = anp.matmul(query, anp.transpose(key, (0, 2, 1))) * WIDTH**-0.5 + (there[:, None, :] - 1) * 1e9
        weight = anp.exp(score - anp.max(score, axis=-1, keepdims=True))
        weight = weight / anp.sum(weight, axis=-1, keepdims=True)
        x = x + anp.dot(anp.matmul(weight, value), w[f"mix{n}"])
        x = x + anp.dot(anp.maximum(anp.dot(x, w[f"up{n}"]), 0), w[f"down{n}"])
    mean = anp.sum(x * there[:, :, None], axis=1) / np.sum(there, axis=1)[:, None]
    return anp.dot(mean, w["head"]) + w["bias"]


def loss(w: Weights, tokens: Any, right: Any) -> Any:
    """Cross entropy."""
    z = forward(w, tokens)
    z = z - anp.max(z, axis=1, keepdims=True)
    return -anp.mean(z[np.arange(len(right)), right] - anp.log(anp.sum(anp.exp(z), axis=1)))


def train(w: Weights, tokens: Any, right: Any) -> Weights:
    """Adam, on random batches."""
    draw, slope = np.random.default_rng(SEED), grad(loss)
    first, second = dict.fromkeys(w, 0.0), dict.fromkeys(w, 0.0)
    for step in range(1, STEPS + 1):
        rows = draw.integers(0, len(tokens), BATCH)
        for name, g in slope(w, tokens[rows], right[rows]).items():
            first[name] = 0.9 * first[name] + 0.1 * g
            second[name] = 0.99 * second[name] + 0.01 * g**2
            ahead = first[name] / (1 - 0.9**step)
            w[name] = w[name] - RATE * ahead / (np.sqrt(second[name] / (1 - 0.99**step)) + 1e-8)
    return w


class Graph:
    """Nodes and constants of an ONNX graph."""

    def __init__(self, w: Weights) -> None:
        self.nodes: list[Any] = []
        self.constants = {name: value.astype(np.float32) for name, value in w.items()}
        for name, whole in (("all", [-1]), ("axis", [1])):
            self.constants[name] = np.array(whole, dtype=np.int64)
        for name, number in (("zero", 0), ("one", 1)):
            self.constants[name] = np.array(number, dtype=np.int64)
        self.constants["scale"] = np.array(WIDTH**-0.5, dtype=np.float32)

    def add(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """A node; the name of its first output."""
        names = [f"t{len(self.nodes)}_{n}" for n in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0]


def export(w: Weights) -> bytes:
    """The same computation, of one text at a time, from its words to two logits."""
    g = Graph(w)
    split = g.add("StringSplit", g.add("Reshape", "text", "all"), outputs=2, delimiter=" ")
    numbers = {"keys_strings": WORDS, "values_int64s": list(range(1, len(WORDS) + 1)), "default_int64": 0}
    tokens = g.add("LabelEncoder", split, domain="ai.onnx.ml", **numbers)
    length = g.add("Gather", g.add("Shape", tokens), "one")
    places = g.add("Gather", "places", g.add("Range", "zero", length, "one"))
    x = g.add("Add", g.add("Gather", "words", tokens), places)
    for n in range(LAYERS):
        query, key, value = (g.add("MatMul", x, f"{name}{n}") for name in ("query", "key", "value"))
        turned = g.add("Transpose", key, perm=[0, 2, 1])
        weight = g.add("Softmax", g.add("Mul", g.add("MatMul", query, turned), "scale"), axis=-1)
        x = g.add("Add", x, g.add("MatMul", g.add("MatMul", weight, value), f"mix{n}"))
        x = g.add("Add", x, g.add("MatMul", g.add("Relu", g.add("MatMul", x, f"up{n}")), f"down{n}"))
    g.nodes.append(
        helper.make_node("Gemm", [g.add("ReduceMean", x, "axis", keepdims=0), "head", "bias"], ["logits"])
    )
    graph = helper.make_graph(
        g.nodes,
        "reviews",
        [helper.make_tensor_value_info("text", TensorProto.STRING, ["n", 1])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(value, name) for name, value in g.constants.items()],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3)]
    return bytes(
        helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString(deterministic=True)
    )


def main(out: str) -> None:
    """Train, say how good it is on reviews it did not see, and write the file."""
    seen, unseen = make(1500, 1), make(500, 2)
    known = {text for text, _ in seen}
    w = train(start(), *encode(seen))
    tokens, right = encode([row for row in unseen if row[0] not in known])
    print(f"right on {(forward(w, tokens).argmax(1) == right).mean():.1%} of {len(right)} unseen reviews")
    Path(out).write_bytes(export(w))


if __name__ == "__main__":
    main(sys.argv[1])
