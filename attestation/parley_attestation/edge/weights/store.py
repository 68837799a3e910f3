"""Room: the edge. Models in object stores (s3://, gs://, hf://) through fsspec; `source` calls it.

Needs the extra `store`, and for each kind of store the package that fsspec names (s3fs, gcsfs,
huggingface_hub). Credentials are fsspec's business.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from parley_attestation.edge.weights.source import FileInfo, ReadInto, changed
from parley_attestation.errors import LocalError, PeerError, Reason, printable
from parley_attestation.model.layout import MAX_FILES, check_path


class StoreFiles:
    """A prefix, or one object, in a store."""

    block = 16 << 20  # one request of a store takes tens of milliseconds

    def __init__(self, url: str) -> None:
        """Connect to the store that `url` names."""
        try:
            from fsspec.core import url_to_fs  # noqa: PLC0415 - extra
        except ImportError as error:
            raise LocalError(
                Reason.MISSING_EXTRA,
                "models in object stores need fsspec",
                hint="pip install 'parley[store]'",
            ) from error
        try:
            self._store, root = url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise LocalError(Reason.CONFIG, f"cannot open {printable(url)!r}: {error}") from error
        if "file" in self._store.protocol:
            raise LocalError(
                Reason.CONFIG,
                "expected a store that is not the local disk",
                hint="give the plain path: links are refused there",
            )
        self._root: str = root.rstrip("/")

    def scan(self) -> tuple[FileInfo, ...]:
        """All objects below the prefix, in the order of their paths.

        Raises:
            PeerError: BAD_MODEL_CLAIM, for unusual names or no object at all.
            LocalError: UNREACHABLE.
        """
        try:
            self._store.invalidate_cache()
            found: dict[str, dict[str, Any]] = self._store.find(self._root, detail=True)
            infos = [
                FileInfo(self._path(full), int(told["size"]), str(self._store.ukey(full)))
                for full, told in found.items()
                if told["type"] == "file"
            ]
        except OSError as error:
            raise self._unreachable(error) from error
        if not 1 <= len(infos) <= MAX_FILES:
            raise PeerError(Reason.BAD_MODEL_CLAIM, f"expected 1..{MAX_FILES} files, found {len(infos)}")
        return tuple(sorted(infos, key=lambda info: info.path))

    def _path(self, full: str) -> str:
        below = full.removeprefix(self._root).lstrip("/")
        return check_path(below or self._root.rpartition("/")[2])

    @contextmanager
    def reading(self, info: FileInfo) -> Iterator[ReadInto]:
        """Open an object; on leaving, refuse it if it changed since `info` was taken."""
        full = f"{self._root}/{info.path}"
        if not self._store.exists(full):
            full = self._root  # the location is one object

        def read_into(offset: int, view: memoryview) -> None:
            try:
                view[:] = self._store.cat_file(full, offset, offset + len(view))
            except ValueError as error:  # fewer bytes than the listing said
                raise changed(info.path) from error
            except OSError as error:
                raise self._unreachable(error) from error

        self._check(full, info)
        yield read_into
        self._check(full, info)

    def _check(self, full: str, info: FileInfo) -> None:
        try:
            self._store.invalidate_cache()
            version = str(self._store.ukey(full))
        except OSError as error:
            raise self._unreachable(error) from error
        if version != info.version:
            raise changed(info.path)

    def _unreachable(self, error: OSError) -> LocalError:
        return LocalError(Reason.UNREACHABLE, f"cannot read {printable(self._root)!r}: {error}")
