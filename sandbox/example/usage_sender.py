"""Sends usage to Foyer. Sellers copy this module: every item is stored first, and sent until Foyer accepts it.

An item keeps its id, so to send it again is safe: Foyer counts it once. docs/usage.md describes the API.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

import requests
from pydantic import BaseModel, ValidationError

from sandbox.example.state import UsageItem
from sandbox.example.tenants import Tenants

MAX_ITEMS = 1000
TIMEOUT_SECONDS = (2, 10)
# Foyer answers with a verdict on each item, and with one of these where all items failed in the same way.
WITH_VERDICTS = (200, 404, 409, 422)
MESSAGES = {
    401: "Foyer does not know the API token. Delete instance/usage-token and start again: a new one is created.",
    403: "The API token does not have the scope usage:write.",
    503: "Foyer's database is away.",
}


class Verdict(BaseModel):
    """Foyer's verdict on one item."""

    id: str
    verdict: Literal["accepted", "conflict", "refused"]
    detail: str | None = None


class Answer(BaseModel):
    """Foyer's answer: unknown fields are ignored, because later versions may add some."""

    items: list[Verdict]


class NotTaken(Exception):
    """Foyer took none of the items. The message says why."""


class UsageSender:
    """Sends the items that are not sent yet: when `send` is called, and every few seconds until `stop`."""

    def __init__(self, tenants: Tenants, token: str | None, now: Callable[[], datetime] | None = None) -> None:
        self._tenants, self._token = tenants, token
        self._now = now or (lambda: datetime.now(UTC))
        self._sending = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        # Why the last attempt failed.
        self.problem: str | None = None

    def now(self) -> datetime:
        """Return the time of usage that happens now: whole seconds are enough to know its hour."""
        return self._now().replace(microsecond=0)

    def send(self, site_url: str) -> None:
        """Send every item that is not sent yet. What Foyer does not take is sent again later."""
        with self._sending:
            try:
                while items := self._tenants.unsent_usage()[:MAX_ITEMS]:
                    self._tenants.apply_verdicts(self._post(site_url, items))
                self.problem = None
            except NotTaken as error:
                self.problem = str(error)

    def start(self, site_url: Callable[[], str], interval_seconds: float) -> None:
        """Send in the background."""
        self._stopped.clear()
        arguments = (site_url, interval_seconds)
        self._thread = threading.Thread(target=self._send_until_stopped, args=arguments, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the attempt in progress, and send no more."""
        self._stopped.set()
        if self._thread:
            self._thread.join()

    def _send_until_stopped(self, site_url: Callable[[], str], interval_seconds: float) -> None:
        while not self._stopped.wait(interval_seconds):
            if self._tenants.unsent_usage():
                self.send(site_url())

    def _post(self, site_url: str, items: list[UsageItem]) -> dict[str, tuple[str, str | None]]:
        """Return the verdict and its detail for each id.

        Raises:
            NotTaken: Foyer did not answer, or not with verdicts.
        """
        if not self._token:
            raise NotTaken("USAGE_API_TOKEN is not set. make run creates a token and sets it.")
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            response = requests.post(
                f"{site_url}/api/v1/usage",
                json=[_to_json(item) for item in items],
                headers=headers,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException:
            raise NotTaken("Foyer does not answer.") from None
        verdicts = _read_verdicts(response)
        # Without progress, the next attempt would get the same answer at once.
        if not verdicts.keys() & {item.id for item in items}:
            raise NotTaken(MESSAGES.get(response.status_code, f"Foyer answered with {response.status_code}."))
        return verdicts


def _read_verdicts(response: requests.Response) -> dict[str, tuple[str, str | None]]:
    if response.status_code not in WITH_VERDICTS:
        return {}
    try:
        answer = Answer.model_validate_json(response.content)
    except ValidationError:
        return {}
    return {item.id: (item.verdict, item.detail) for item in answer.items}


def _to_json(item: UsageItem) -> dict[str, Any]:
    return {
        "id": item.id,
        "subscription": item.subscription,
        "dimension": item.dimension,
        "quantity": item.quantity,
        "at": item.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
