"""Room: the edge. Finds the files of a model and splits each into segments; `hashing` works on the result."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from parley_attestation.edge.weights.source import FileInfo, open_source
from parley_attestation.model.cursor import Read
from parley_attestation.model.formats import split
from parley_attestation.model.layout import Segment


@dataclass(frozen=True, slots=True)
class Plan:
    """The files of a model at one place, and their segments in the order of the manifest."""

    location: str
    files: tuple[FileInfo, ...]
    segments: tuple[Segment, ...]

    @property
    def size(self) -> int:
        """Bytes of the whole model."""
        return sum(f.size for f in self.files)


def make_plan(location: str) -> Plan:
    """Scan `location` and read the headers of the files whose format is known.

    Raises:
        PeerError: BAD_MODEL_CLAIM, naming the file.
        LocalError: Where it cannot be read.
    """
    source = open_source(location)
    files = source.scan()
    infos = {f.path: f for f in files}

    @contextmanager
    def opener(path: str) -> Iterator[Read]:
        with source.reading(infos[path]) as read_into:

            def read(offset: int, size: int) -> bytes:
                buffer = bytearray(size)
                read_into(offset, memoryview(buffer))
                return bytes(buffer)

            yield read

    return Plan(location, files, split({f.path: f.size for f in files}, opener))
