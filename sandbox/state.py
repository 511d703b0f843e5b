"""What outlives a restart of the sandbox, and the JSON file that keeps it."""

import secrets
from pathlib import Path

from pydantic import BaseModel, Field

from sandbox import state_file
from sandbox.events import Event
from sandbox.purchases import Buyer, Purchase

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


def load(path: Path | None) -> State:
    """Return the state in a file, or that of a sandbox that nothing has happened in.

    Raises:
        SystemExit: the file is there but is not one that a sandbox wrote.
    """
    return state_file.load(State, path, "is not the sandbox's state. Delete it to start with no purchases.")
