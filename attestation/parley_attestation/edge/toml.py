"""Room: the edge. What a person writes: TOML files, checked field by field; roles and tools call it."""

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from parley_attestation.errors import LocalError, Reason

M = TypeVar("M", bound=BaseModel)


def read_model(path: Path, kind: type[M], section: str | None = None) -> M:
    """Read a TOML file, or one section of it, into `kind`.

    Raises:
        LocalError: CONFIG, naming the file and the line or the field.
    """
    try:
        document: Any = tomllib.loads(path.read_text())
        if section is not None and section not in document:
            raise LocalError(Reason.CONFIG, f"{path}: expected a section [{section}]")
        return kind.model_validate(document if section is None else document[section])
    except ValidationError as error:
        one = error.errors()[0]
        where = ".".join(str(p) for p in one["loc"])
        raise LocalError(Reason.CONFIG, f"{path}: {where}: {one['msg']}") from error
    except (OSError, ValueError) as error:
        raise LocalError(Reason.CONFIG, f"{path}: {error}") from error
