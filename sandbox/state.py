"""The sandbox's persistent state, saved as a JSON file."""

import secrets
from pathlib import Path

from pydantic import BaseModel, Field

from sandbox import state_file
from sandbox.clock import ClockState
from sandbox.events import Event
from sandbox.metering.usage import UsageState
from sandbox.purchases import Buyer, Purchase

FIRST_BUYERS = (
    Buyer(account_id="111122223333", name="Juniper & Lark Studio"),
    Buyer(account_id="044455556666", name="Quillfeather Press"),
    Buyer(account_id="777788889999", name="Ostrava Robotics"),
)


class State(BaseModel):
    """The fields of the state file."""

    token_key: str = Field(default_factory=secrets.token_hex)
    buyers: list[Buyer] = list(FIRST_BUYERS)
    purchases: list[Purchase] = []
    events: list[Event] = []
    clock: ClockState = Field(default_factory=ClockState)
    usage: UsageState = Field(default_factory=UsageState)


def load(path: Path | None) -> State:
    """Return the state in a file, or the initial state if there is no file.

    Raises:
        SystemExit: the file exists and is not a state file.
    """
    return state_file.load(State, path, "is not a state file of the sandbox. Delete it to start with no purchases.")
