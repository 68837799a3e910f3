"""Room: the command line. The demo's data and models: handwritten digits, small classifiers, ONNX files.

Data: Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine Learning
Repository, CC BY 4.0, as bundled with scikit-learn. `python -m parley_cli.digits FOLDER` writes all of it.
"""

import json
import sys
from pathlib import Path
from typing import Any

from parley_attestation.errors import LocalError, Reason

HIDDEN = 900  # held-out digits that become the hidden test set
SEED = 20_261_125


def write(folder: Path) -> dict[str, float]:
    """Write `hidden.jsonl` and three models; give each model's accuracy on the hidden digits.

    `good.onnx` is what the prover registers; `worse.onnx` learned from a handful of digits, and
    `better.onnx` is larger and learned from more.

    Raises:
        LocalError: MISSING_EXTRA.
    """
    try:
        from sklearn.datasets import load_digits  # noqa: PLC0415 - optional
        from sklearn.model_selection import train_test_split  # noqa: PLC0415 - optional
    except ImportError as error:
        raise LocalError(
            Reason.MISSING_EXTRA, "the demo needs scikit-learn and onnx", hint="pip install 'parley[demo]'"
        ) from error
    data = load_digits()
    seen, hidden, seen_labels, hidden_labels = train_test_split(
        data.data, data.target, test_size=HIDDEN, random_state=SEED, stratify=data.target
    )
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "hidden.jsonl").open("w") as out:
        for pixels, label in zip(hidden, hidden_labels, strict=True):
            out.write(json.dumps({"prompt": [int(p) for p in pixels], "reference": str(label)}) + "\n")
    accuracy = {}
    for name, units, count in (("good", 32, 500), ("worse", 8, 50), ("better", 96, len(seen))):
        model = _train(seen[:count] / 16, seen_labels[:count], units)
        (folder / f"{name}.onnx").write_bytes(_to_onnx(model))
        accuracy[name] = float(model.score(hidden / 16, hidden_labels))
    return accuracy


def _train(pixels: Any, labels: Any, units: int) -> Any:
    import warnings  # noqa: PLC0415

    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415 - optional
    from sklearn.neural_network import MLPClassifier  # noqa: PLC0415 - optional

    model = MLPClassifier((units,), max_iter=300, random_state=SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(pixels, labels)


def _to_onnx(model: Any) -> bytes:
    """A two-layer perceptron as an ONNX graph: Gemm, Relu, Gemm."""
    import numpy as np  # noqa: PLC0415 - optional
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415 - optional

    weights = {}
    for layer, (matrix, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        weights[f"w{layer}"] = matrix.astype(np.float32)
        weights[f"b{layer}"] = bias.astype(np.float32)
    nodes = [
        helper.make_node("Gemm", ["pixels", "w0", "b0"], ["h0"]),
        helper.make_node("Relu", ["h0"], ["h1"]),
        helper.make_node("Gemm", ["h1", "w1", "b1"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 64])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    built = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(built.SerializeToString(deterministic=True))


if __name__ == "__main__":
    for one, rate in write(Path(sys.argv[1])).items():
        sys.stdout.write(f"{one}.onnx is right on {rate:.1%} of the hidden digits\n")
