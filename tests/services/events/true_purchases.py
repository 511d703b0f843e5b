"""Purchases as AWS has them: what is true, whatever has been delivered of it."""

from dataclasses import dataclass, field
from datetime import datetime

from app.services.purchases.purchase import Landing
from tests.support import factories

ACCOUNT = "012345678901"


@dataclass
class Purchase:
    """One purchase as AWS has it: its names, the earlier ones, and its true status."""

    number: int
    agreement: str
    license: str | None
    status: str = "pending"
    since: datetime | None = None
    earlier: list[tuple[str, str | None]] = field(default_factory=list)
    # AWS does not renew an agreement that has ended.
    has_ended: bool = False
    is_stored: bool = False
    landed: bool = False
    registered: str | None = None

    def landing(self, names: tuple[str, str | None]) -> Landing:
        """Return the landing of a token that AWS resolves to these names."""
        agreement, license_id = names
        if license_id is None:
            return factories.landing(
                customer_aws_account_id=ACCOUNT, customer_identifier=self.customer, license_arn=None, agreement_id=None
            )
        arn = f"arn:aws:license-manager::294406891311:license:{license_id}"
        return factories.landing(customer_aws_account_id=ACCOUNT, license_arn=arn, agreement_id=agreement)

    @property
    def summary(self) -> tuple[str, str, str, str]:
        """Return the key, agreement, status and time that have to be stored in the end."""
        key = self.license or f"{factories.PRODUCT_CODE}/{self.customer}"
        return key, self.agreement if self.license else "", self.status, str(self.since)

    @property
    def customer(self) -> str:
        """The customer identifier, on an old listing: each purchase there is another customer's."""
        return f"customer-{self.number}"
