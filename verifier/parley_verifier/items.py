"""Room: test sets. Items as people write them, in JSON Lines or CSV, read strictly; registration calls it.

Fields: `prompt`, `prompt_file` or `script` (the turns of a dialogue), `reference` or `reference_file`, and
optionally `stratum`, `id`, and `pair` with `member`: two items of one pair count as one unit. A string stands
for its UTF-8 bytes, any other JSON value for its canonical form; a `_file` is a path beneath the folder of the
source and stands for the file's bytes. In CSV every value is a string and an empty cell is an absent field.
Every refusal names the line.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, NoReturn

from parley_attestation import canonical
from parley_attestation.encoding import MAX_BLOB
from parley_attestation.errors import LocalError, PeerError, Reason, printable
from parley_attestation.script import read_script

MAX_LINE = 64 << 20  # bytes of one line; longer content goes into files
MAX_CONTENT = MAX_BLOB - 32  # bytes of one prompt or reference: a blob less its key
MAX_NAME = 64  # characters of a stratum's name
MAX_ID = 4096  # characters of an item's own name
_FIELDS = frozenset(
    {"prompt", "prompt_file", "reference", "reference_file", "stratum", "id", "script", "pair", "member"}
)


class Item(NamedTuple):
    """One item and the line it starts on; a name is empty where none is given."""

    line: int
    prompt: bytes
    reference: bytes
    stratum: str
    own_id: str
    scripted: bool = False
    pair: str = ""
    member: str = ""


def read_items(source: Path) -> Iterator[Item]:
    """Read the items of a .jsonl or .csv file one by one.

    Raises:
        LocalError: CONFIG, naming file and line.
    """
    read = {".jsonl": _json_lines, ".csv": _csv_rows}.get(source.suffix.lower())
    if read is None:
        raise LocalError(Reason.CONFIG, f"{source}: expected a file named .jsonl or .csv")
    try:
        file = source.open("rb")
    except OSError as error:
        raise LocalError(Reason.CONFIG, f"{source}: {error.strerror}") from error
    with file:
        reader = _Reader(source)
        for line, fields in read(source, file):
            yield reader.item(line, fields)


class _Reader:
    def __init__(self, source: Path) -> None:
        self._source = source
        self._folder = source.parent.resolve()

    def item(self, line: int, fields: dict[str, Any]) -> Item:
        if not fields.keys() <= _FIELDS:
            unknown = printable(min(fields.keys() - _FIELDS), 40)
            _refuse(self._source, line, f"unknown field {unknown!r}; known are {', '.join(sorted(_FIELDS))}")
        scripted = "script" in fields
        if ("pair" in fields) is not ("member" in fields):
            _refuse(self._source, line, "expected pair and member, or neither")
        return Item(
            line,
            self._script(line, fields) if scripted else self._content(line, fields, "prompt"),
            self._content(line, fields, "reference"),
            self._text(line, fields, "stratum", MAX_NAME),
            self._text(line, fields, "id", MAX_ID),
            scripted,
            self._text(line, fields, "pair", MAX_ID),
            self._text(line, fields, "member", MAX_NAME),
        )

    def _script(self, line: int, fields: dict[str, Any]) -> bytes:
        """A dialogue's turns in canonical JSON, checked."""
        if fields.keys() & {"prompt", "prompt_file"}:
            _refuse(self._source, line, "expected a script or a prompt, not both")
        content = self._content(line, {"prompt": fields["script"]}, "prompt")
        try:
            read_script(content)
        except PeerError as error:
            _refuse(self._source, line, error.message)
        return content

    def _content(self, line: int, fields: dict[str, Any], name: str) -> bytes:
        inline, file = fields.get(name), fields.get(name + "_file")
        if (inline is None) == (file is None):
            _refuse(self._source, line, f"expected either {name} or {name}_file")
        try:
            if file is not None:
                content = self._file(line, name, file)
            else:
                content = inline.encode() if isinstance(inline, str) else canonical.dump(inline)
        except UnicodeEncodeError:
            _refuse(self._source, line, f"{name}: expected text without lone surrogates")
        except PeerError as error:
            _refuse(self._source, line, f"{name}: {error.message}")
        if not 1 <= len(content) <= MAX_CONTENT:
            _refuse(self._source, line, f"{name}: expected 1..{MAX_CONTENT} bytes, got {len(content)}")
        return content

    def _file(self, line: int, name: str, value: Any) -> bytes:
        if not isinstance(value, str) or not value or "\0" in value:
            _refuse(self._source, line, f"{name}_file: expected a path")
        path = (self._folder / value).resolve()
        if not path.is_relative_to(self._folder):
            _refuse(self._source, line, f"{name}_file: expected a path beneath the folder of the test set")
        try:
            with path.open("rb") as file:
                return file.read(MAX_CONTENT + 1)
        except OSError as error:
            _refuse(self._source, line, f"{name}_file: {error.strerror}")

    def _text(self, line: int, fields: dict[str, Any], name: str, limit: int) -> str:
        if name not in fields:
            return ""
        value = fields[name]
        if not isinstance(value, str) or not 1 <= len(value) <= limit or not value.isprintable():
            _refuse(self._source, line, f"{name}: expected a printable string of 1..{limit} characters")
        return value


def _refuse(source: Path, line: int, message: str) -> NoReturn:
    raise LocalError(Reason.CONFIG, f"{source}, line {line}: {message}") from None


def _lines(source: Path, file: BinaryIO) -> Iterator[str]:
    number = 0
    while raw := file.readline(MAX_LINE + 1):
        number += 1
        if len(raw) > MAX_LINE:
            _refuse(source, number, f"expected at most {MAX_LINE} bytes in a line")
        try:
            yield raw.decode()
        except UnicodeDecodeError:
            _refuse(source, number, "expected UTF-8")


def _json_lines(source: Path, file: BinaryIO) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(_lines(source, file), 1):
        try:
            value = _DECODER.decode(line)
        except _StrictError as error:
            _refuse(source, number, str(error))
        except (ValueError, RecursionError):
            _refuse(source, number, "expected one JSON object")
        if not isinstance(value, dict):
            _refuse(source, number, "expected one JSON object")
        yield number, value


class _StrictError(Exception):
    """What plain JSON allows and a test set does not."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _StrictError(f"the field {printable(twice, 40)!r} stands there twice")
    return value


def _no_float(text: str) -> NoReturn:
    raise _StrictError(f"expected integers, or decimals as strings, got the number {text[:40]}")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_no_float, parse_constant=_no_float)


def _csv_rows(source: Path, file: BinaryIO) -> Iterator[tuple[int, dict[str, Any]]]:
    csv.field_size_limit(MAX_LINE)  # of the whole process; the default is below what prompts need
    rows = csv.reader(_lines(source, file), strict=True)
    header: list[str] | None = None
    line = 1
    try:
        for row in rows:
            if header is None:
                header = [name.removeprefix("\ufeff") for name in row]  # spreadsheets write a byte-order mark
                if len(set(header)) != len(header) or not set(header) <= _FIELDS:
                    _refuse(source, 1, f"expected different column names from {', '.join(sorted(_FIELDS))}")
            elif len(row) != len(header):
                _refuse(source, line, f"expected {len(header)} cells, got {len(row)}")
            else:
                yield line, {name: cell for name, cell in zip(header, row, strict=True) if cell}
            line = rows.line_num + 1
    except csv.Error as error:
        _refuse(source, line, f"not a CSV row: {error}")
