"""A product as docs/receiver.md describes it: one account for each subscription, named in every reply."""

from dataclasses import dataclass, field
from typing import Any

from flask.testing import FlaskClient

from tests.support.handoff_receiver import HandoffReceiver, Reply, json_reply

URL = "https://app.acme.example/t/"
AWAY: Reply = (503, {}, b"")


@dataclass
class OneAccountProduct(HandoffReceiver):
    """`owners`: by account, the address that it was made for. `is_away`: it answers 503 and makes nothing.

    `is_deaf`: it makes the account, but its reply is an error of the proxy before it.
    """

    owners: dict[str, str] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)
    is_away: bool = False
    is_deaf: bool = False

    def __post_init__(self) -> None:
        self.reply = self.process

    def process(self, delivery: dict[str, Any]) -> Reply:
        """Make the subscription's account where it has none, and reply with it."""
        if self.is_away:
            return AWAY
        subscription, registration = delivery["data"]["subscription"], delivery["data"]["registration"]
        ids = [subscription["id"], *subscription["former_ids"]]
        account = next((self.accounts[id_] for id_ in ids if id_ in self.accounts), None)
        if account is None and registration:
            account = f"acme-{len(self.owners)}"
            self.owners[account] = registration["email"]
        if account:
            self.accounts[subscription["id"]] = account
        if self.is_deaf:
            return (504, {}, b"")
        return json_reply(url=f"{URL}{account}", reference=account) if account else json_reply()

    def entered_by(self, client: FlaskClient) -> str | None:
        """Return whose account this browser is led into; None where it is led into none."""
        client.get("/welcome")
        location = str(client.get("/enter").headers.get("Location", "")).partition("?")[0]
        return self.owners[location.removeprefix(URL)] if location.startswith(URL) else None
