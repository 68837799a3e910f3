"""Room: the edge. Finds the files of a model and splits each into segments; `hashing` works on the result."""

from dataclasses import dataclass

from parley_attestation.edge.weights.source import FileInfo, open_source
from parley_attestation.errors import PeerError, Reason
from parley_attestation.model.layout import MAX_SEGMENTS, Segment, opaque


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
    files = open_source(location).scan()
    segments: list[Segment] = []
    for info in files:
        segments += opaque(info.path, info.size)
        if len(segments) > MAX_SEGMENTS:
            raise PeerError(Reason.BAD_MODEL_CLAIM, f"expected at most {MAX_SEGMENTS} segments")
    return Plan(location, files, tuple(segments))
