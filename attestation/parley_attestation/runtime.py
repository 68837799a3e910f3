"""Room: the core. The runtime that terms name by digest: how the registered weights become answers.

A closed document from a registry, like a grader's: everything between a prompt's bytes and an output's,
so that a chamber can run the same again. Built in is ONNX Runtime of one version, one thread, one prompt
at a time, which makes execution class E1. A program that the prover supplies has no class: it could
ignore the weights, and nothing shows that it does not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from parley_attestation import canonical
from parley_attestation.canonical import Fields
from parley_attestation.encoding import Digest, Label, digest
from parley_attestation.errors import PeerError, Reason
from parley_attestation.model.layout import check_path

NO_CLASS = "none"  # the execution class of a program that the prover supplies
MAX_PROGRAM_FILES = 4096
MAX_WORDS = 64  # of a program's command
DTYPES = ("float32", "float64", "int32", "int64", "string")
MAX_LABELS = 1 << 16


@dataclass(frozen=True, slots=True)
class OnnxRuntime:
    """ONNX Runtime over one file of the registered model.

    Attributes:
        version: Version of onnxruntime.
        file: Path of the graph in the model claim.
        dtype: Element type of the input tensor; "string" takes the prompt as text, in a tensor of one element.
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


@dataclass(frozen=True, slots=True)
class ProgramRuntime:
    """A program that the prover supplies beside its weights, and that a box confines.

    It reads frames (a length, u64 big-endian, then as many bytes) from standard input and writes frames to
    standard output: first comes the limit of an output (u64), then one frame a prompt, and for each it
    answers with a zero byte and the output, or with a one byte where it has no answer.

    Attributes:
        command: How it starts; its files are below /in/program, the model's below /in/model.
        files: Path and SHA-256 of every file, by ascending path.
        processes: Processes that it may have at once.
    """

    command: tuple[str, ...]
    files: tuple[tuple[str, Digest], ...]
    processes: int = 1

    execution_class = NO_CLASS

    def document(self) -> dict[str, Any]:
        """The document that the digest names."""
        return {
            "kind": "program",
            "command": list(self.command),
            "files": [{"path": path, "sha256": found.hex()} for path, found in self.files],
            "processes": self.processes,
        }

    def digest(self) -> Digest:
        """What terms name the runtime by."""
        return digest(Label.RUNTIME, canonical.dump(self.document()))


Runtime = OnnxRuntime | ProgramRuntime


def read_runtime(document: Any) -> Runtime:
    """Read a runtime's document strictly. Raises `PeerError` (BAD_RUNTIME)."""
    fields = Fields(document, "runtime", reason=Reason.BAD_RUNTIME)
    readers: dict[str, Callable[[Fields], Runtime]] = {"onnx": _onnx, "program": _program}
    return fields.choice("kind", readers)(fields)


def _program(fields: Fields) -> ProgramRuntime:
    def file(one: Fields) -> tuple[str, Digest]:
        found = (_path(one, "path"), one.digest("sha256"))
        one.end()
        return found

    found = ProgramRuntime(
        command=fields.texts("command", MAX_WORDS, 1),
        files=fields.items("files", file, MAX_PROGRAM_FILES),
        processes=fields.integer("processes", 1, 1024),
    )
    fields.end()
    paths = [path for path, _ in found.files]
    if paths != sorted(set(paths)):
        raise PeerError(Reason.BAD_RUNTIME, "runtime.files: expected every path once, in ascending order")
    if not found.command[0].startswith("/"):
        raise PeerError(Reason.BAD_RUNTIME, "runtime.command: expected an absolute path as its first word")
    return found


def _onnx(fields: Fields) -> OnnxRuntime:
    shape = fields.list("shape", 8, 1)
    if not all(isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= 1 << 24 for n in shape):
        fields.refuse("shape", "integers in 1..2^24")
    found = OnnxRuntime(
        version=fields.text("version", 64),
        file=_path(fields, "file"),
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
    if found.dtype == "string" and (set(found.shape), found.scale) != ({1}, "1"):
        raise PeerError(Reason.BAD_RUNTIME, "runtime.shape: expected one element and no scale for text")
    return found


def _path(fields: Fields, name: str) -> str:
    try:
        return check_path(fields.text(name, 4096))
    except PeerError:
        fields.refuse(name, "a plain relative path")
