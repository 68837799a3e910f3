"""Room: the core. The runtime that terms name by digest: how the registered weights become answers.

A closed document from a registry, like a grader's: everything between a prompt's bytes and an output's,
so that a chamber can run the same again. One kind so far: ONNX Runtime of one version, one thread, one
prompt at a time, which makes execution class E1.
"""

from dataclasses import dataclass
from typing import Any

from parley_attestation import canonical
from parley_attestation.canonical import Fields
from parley_attestation.encoding import Digest, Label, digest
from parley_attestation.errors import PeerError, Reason
from parley_attestation.model.layout import check_path

DTYPES = ("float32", "float64", "int32", "int64")
MAX_LABELS = 1 << 16


@dataclass(frozen=True, slots=True)
class OnnxRuntime:
    """ONNX Runtime over one file of the registered model.

    Attributes:
        version: Version of onnxruntime.
        file: Path of the graph in the model claim.
        dtype: Element type of the input tensor.
        shape: Shape of one item, without the batch axis.
        scale: Numbers of the prompt are divided by this; a decimal.
        output: "argmax": the label of the largest value; "json": the values themselves.
        output_name: Which output of the model; empty for the first.
        labels: Text of each class; empty for its number.
        decimals: Digits after the point of floating-point values.
    """

    version: str
    file: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    scale: str = "1"
    output: str = "argmax"
    output_name: str = ""
    labels: tuple[str, ...] = ()
    decimals: int = 6

    execution_class = "E1"

    def document(self) -> dict[str, Any]:
        """The document that the digest names."""
        return {
            "kind": "onnx",
            "version": self.version,
            "file": self.file,
            "dtype": self.dtype,
            "shape": list(self.shape),
            "scale": self.scale,
            "output": self.output,
            "output_name": self.output_name,
            "labels": list(self.labels),
            "decimals": self.decimals,
        }

    def digest(self) -> Digest:
        """What terms name the runtime by."""
        return digest(Label.RUNTIME, canonical.dump(self.document()))


def read_runtime(document: Any) -> OnnxRuntime:
    """Read a runtime's document strictly. Raises `PeerError` (BAD_RUNTIME)."""
    fields = Fields(document, "runtime", reason=Reason.BAD_RUNTIME)
    fields.choice("kind", {"onnx": "onnx"})
    shape = fields.list("shape", 8, 1)
    if not all(isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= 1 << 24 for n in shape):
        fields.refuse("shape", "integers in 1..2^24")
    found = OnnxRuntime(
        version=fields.text("version", 64),
        file=_path(fields),
        shape=tuple(shape),
        dtype=fields.choice("dtype", {name: name for name in DTYPES}),
        scale=fields.decimal("scale"),
        output=fields.choice("output", {"argmax": "argmax", "json": "json"}),
        output_name=fields.text("output_name", 256, empty=True),
        labels=fields.texts("labels", MAX_LABELS),
        decimals=fields.integer("decimals", 0, 17),
    )
    fields.end()
    if found.scale == "0" or found.scale.startswith("-"):
        raise PeerError(Reason.BAD_RUNTIME, "runtime.scale: expected a number above 0")
    return found


def _path(fields: Fields) -> str:
    try:
        return check_path(fields.text("file", 4096))
    except PeerError:
        fields.refuse("file", "a plain relative path")
