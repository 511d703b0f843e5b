"""What outlives a restart of the sandbox, and the JSON file that keeps it."""

import os
import secrets
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from app.sandbox.events import Event
from app.sandbox.purchases import Buyer, Purchase

FIRST_BUYERS = (
    Buyer(account_id="111122223333", name="Juniper & Lark Studio"),
    Buyer(account_id="044455556666", name="Quillfeather Press"),
    Buyer(account_id="777788889999", name="Ostrava Robotics"),
)


class State(BaseModel):
    """What outlives a restart."""

    token_key: str = Field(default_factory=secrets.token_hex)
    buyers: list[Buyer] = list(FIRST_BUYERS)
    purchases: list[Purchase] = []
    events: list[Event] = []

    def keep(self, path: Path) -> None:
        """Write the state to a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written beside and then renamed: a stop half way leaves the old file whole.
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        beside.write_text(self.model_dump_json(indent=2), encoding="utf-8")
        beside.replace(path)


def read(path: Path | None) -> State:
    """Return the state in a file, or that of a sandbox that nothing has happened in.

    Raises:
        SystemExit: the file is there but is not one that a sandbox wrote.
    """
    if path is None or not path.exists():
        return State()
    try:
        return State.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError:
        raise SystemExit(f"{path} is not the sandbox's state. Delete it to start with no purchases.") from None
