"""Saves state models to JSON files and loads them again."""

import os
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

State = TypeVar("State", bound=BaseModel)


def save(state: BaseModel, path: Path) -> None:
    """Write the state to a file, and create its directory if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written to a temporary file and renamed, so that an interrupted save leaves the old file complete.
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(state.model_dump_json(indent=2), encoding="utf-8")
    temporary.replace(path)


def load(model: type[State], path: Path | None, error_message: str) -> State:
    """Return the state in a file, or a new model if there is no file.

    Raises:
        SystemExit: the file is not a valid model. The message is the path followed by `error_message`.
    """
    if path is None or not path.exists():
        return model()
    try:
        return model.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError:
        raise SystemExit(f"{path} {error_message}") from None
