"""Room: the verifier. Reads items from JSONL and CSV, strictly; errors name the line."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parley_attestation import canonical
from parley_attestation.errors import LocalError, ParleyError, Reason

MAX_LINE = 64 << 20  # bytes of one line; longer content belongs into files of its own
_FIELDS = {"prompt", "prompt_file", "reference", "stratum", "id"}


@dataclass(frozen=True, slots=True)
class Item:
    """One item as written: its content, its stratum, and the line it stands on."""

    prompt: bytes
    reference: bytes
    stratum: str
    line: int


def read_items(source: Path) -> Iterator[Item]:
    """The items of a .jsonl or .csv file, in order.

    A text becomes its UTF-8 bytes, any other JSON value its canonical JSON. `prompt_file` names a file
    beside the source whose raw bytes are the prompt.

    Raises:
        LocalError: CONFIG, naming file and line.
    """
    if source.suffix not in {".jsonl", ".csv"}:
        raise LocalError(Reason.CONFIG, f"{source}: expected a .jsonl or .csv file")
    try:
        rows = _jsonl(source) if source.suffix == ".jsonl" else _csv(source)
        for line, row in rows:
            yield _item(source, line, row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LocalError(Reason.CONFIG, f"{source}: {error}") from error


def _jsonl(source: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with source.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                raise _bad(source, number, "expected a JSON object, found an empty line")
            if len(line) > MAX_LINE:
                raise _bad(source, number, f"expected at most {MAX_LINE} bytes in a line")
            try:
                row = json.loads(line, object_pairs_hook=_no_duplicates)
            except (ValueError, RecursionError) as error:
                raise _bad(source, number, "expected one JSON object in UTF-8") from error
            if not isinstance(row, dict):
                raise _bad(source, number, "expected a JSON object")
            yield number, row


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        raise ValueError
    return row


def _csv(source: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with source.open(newline="", encoding="utf-8") as lines:
        reader = csv.reader(lines, strict=True)
        header = next(reader, [])
        if (
            len(set(header)) != len(header)
            or not {"prompt", "reference"} <= set(header)
            or set(header) - _FIELDS
        ):
            raise _bad(source, 1, f"expected a header of {', '.join(sorted(_FIELDS))}")
        for row in reader:
            if len(row) != len(header):
                raise _bad(source, reader.line_num, f"expected {len(header)} fields, got {len(row)}")
            yield (
                reader.line_num,
                {k: v for k, v in zip(header, row, strict=True) if v or k in {"prompt", "reference"}},
            )


def _item(source: Path, line: int, row: dict[str, Any]) -> Item:
    if unknown := set(row) - _FIELDS:
        raise _bad(source, line, f"unknown field {min(unknown)!r}")
    if ("prompt" in row) is ("prompt_file" in row) or "reference" not in row:
        raise _bad(source, line, "expected reference, and either prompt or prompt_file")
    stratum = row.get("stratum", "")
    if not isinstance(stratum, str) or len(stratum) > 64:
        raise _bad(source, line, "expected a stratum of at most 64 characters")
    prompt = (
        _file(source, line, row["prompt_file"])
        if "prompt_file" in row
        else _content(source, line, row["prompt"])
    )
    if not prompt:
        raise _bad(source, line, "the prompt is empty")
    return Item(prompt, _content(source, line, row["reference"]), stratum, line)


def _content(source: Path, line: int, value: Any) -> bytes:
    try:
        return value.encode() if isinstance(value, str) else canonical.dump(value)
    except (ParleyError, UnicodeError) as error:
        raise _bad(source, line, f"content that has no canonical form: {error}") from error


def _file(source: Path, line: int, name: Any) -> bytes:
    path = (source.parent / name).resolve() if isinstance(name, str) else source
    if not path.is_relative_to(source.parent.resolve()) or not path.is_file():
        raise _bad(source, line, "expected prompt_file to name a file beside the test set")
    return path.read_bytes()


def _bad(source: Path, line: int, what: str) -> LocalError:
    return LocalError(Reason.CONFIG, f"{source}: line {line}: {what}")
