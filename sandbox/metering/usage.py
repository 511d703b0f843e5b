"""All usage of a marketplace: its licenses, its ledger, and every call that was received."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from sandbox.metering.ledger import BilledRecord, Ledger
from sandbox.metering.licenses import License, Licenses


class UsageState(BaseModel):
    """The usage in the state file."""

    licenses: list[License] = []
    billed: list[BilledRecord] = []


@dataclass(frozen=True)
class MeteringCall:
    """One call of BatchMeterUsage. `request` is None where it was not JSON; `error` is AWS's code."""

    received_at: datetime
    region: str
    request: Any
    status: int
    answer: dict[str, Any]
    error: str | None
    is_answer_lost: bool

    @property
    def records(self) -> list[Any]:
        """The usage records that were sent."""
        return list(self.request.get("UsageRecords") or ()) if isinstance(self.request, dict) else []


class Usage:
    """The usage of a marketplace. Calls are not saved."""

    def __init__(self, state: UsageState) -> None:
        self.licenses = Licenses(state.licenses)
        self.ledger = Ledger(state.billed)
        # In the order they were answered.
        self.calls: list[MeteringCall] = []

    def reset(self, state: UsageState) -> None:
        """Replace licenses and billed records, and forget the calls."""
        self.licenses = Licenses(state.licenses)
        self.ledger.reset(state.billed)
        self.calls.clear()
