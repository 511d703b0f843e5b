"""What outlives a restart: kept in a JSON file, and found there again."""

import os
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

State = TypeVar("State", bound=BaseModel)


def save(state: BaseModel, path: Path) -> None:
    """Write the state to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written beside and then renamed: a stop half way leaves the old file whole.
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_text(state.model_dump_json(indent=2), encoding="utf-8")
    beside.replace(path)


def load(model: type[State], path: Path | None, error_message: str) -> State:
    """Return the state in a file; where there is none, what there is at first.

    Raises:
        SystemExit: the file is there but holds something else; the complaint says of it what to do.
    """
    if path is None or not path.exists():
        return model()
    try:
        return model.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError:
        raise SystemExit(f"{path} {error_message}") from None
