"""Room: the prover. Remembers which files of a model are hashed, so that an interruption costs one file.

The journal holds the entropy of the claim under way, so that the salts stay the same: it is as secret as
the claim's secret, readable by its owner alone, and to be deleted once the registration is stored. Each
line carries an HMAC under that entropy; a torn or altered line and everything after it is ignored.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from parley_attestation import canonical
from parley_attestation.canonical import Fields
from parley_attestation.edge.weights.hashing import Resume
from parley_attestation.edge.weights.plan import Plan
from parley_attestation.edge.weights.source import FileInfo
from parley_attestation.encoding import Bytes32, Digest, Label, digest, mac, u64
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_attestation.model.layout import MAX_PATH, MAX_SEGMENTS
from parley_attestation.model.manifest import MAX_MANIFEST


class Journal:
    """The journal at one path, for the files of one plan; `entropy` is what the claim must be made with."""

    def __init__(self, path: Path, plan: Plan, entropy: Bytes32) -> None:
        """Continue the journal at `path` if it is about exactly these files; begin it if it is not."""
        self._path = path
        self.entropy = entropy
        self._known: dict[str, tuple[Digest, ...]] = {}
        name = digest(
            Label.LOCAL,
            b"plan",
            u64(len(plan.segments)),
            *(part for f in plan.files for part in (f.path.encode(), u64(f.size), f.version.encode())),
        ).hex()
        try:
            lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
            kept = self._replay(lines, name) or [f"{entropy.hex()} {name}".encode()]
            temporary = path.with_name(path.name + ".tmp")
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.writelines(line + b"\n" for line in kept)
            temporary.replace(path)
        except OSError as error:
            raise LocalError(Reason.CONFIG, f"cannot keep a journal there: {error.strerror}") from error

    def resume(self) -> Resume:
        """What `hash_plan` needs to go on from here."""
        return Resume(self._known, self._finished)

    def _finished(self, info: FileInfo, roots: Sequence[Digest]) -> None:
        body = canonical.dump({"path": info.path, "roots": [r.hex() for r in roots]})
        with self._path.open("ab") as file:
            file.write(self._tag(body) + b" " + body + b"\n")

    def _tag(self, body: bytes) -> bytes:
        return mac(self.entropy, Label.LOCAL, b"journal", body).hex().encode()

    def _replay(self, lines: list[bytes], name: str) -> list[bytes]:
        """Take over the lines that hold; returns them."""
        if not lines or lines[0][64:] != f" {name}".encode():
            return []
        try:
            self.entropy = Bytes32.of_hex(lines[0][:64].decode("ascii"))
        except (PeerError, UnicodeDecodeError):
            return []
        kept = lines[:1]
        for line in lines[1:]:
            body = line[65:]
            if line[:65] != self._tag(body) + b" ":
                break
            fields = Fields(canonical.load(body, limit=MAX_MANIFEST))
            path = fields.text("path", MAX_PATH)
            self._known[path] = tuple(Digest.of_hex(r) for r in fields.texts("roots", MAX_SEGMENTS, 1))
            kept.append(line)
        return kept
