"""Buyers' AWS accounts, what they order, and what AWS Marketplace makes of an order."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from string import ascii_lowercase, digits
from typing import Literal
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field

from app.config.products import Product
from sandbox.entitlements import Entitlement

Style = Literal["new", "old"]
Status = Literal["pending", "active", "ending", "ended", "failed"]
DeliveryMode = Literal["now", "late", "twice", "reversed"]

CONTRACT_TERM = timedelta(days=365)
# moto's account for every access key that it did not issue itself.
SELLER_ACCOUNT_ID = "123456789012"


class Buyer(BaseModel):
    """An AWS account that can buy."""

    model_config = ConfigDict(frozen=True)

    account_id: str
    name: str


class Order(BaseModel):
    """What the storefront's form, or the JSON API, asks for. Without an account id, a new account buys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    product_code: str
    account_id: str = Field(default="", pattern=r"^(\d{12})?$")
    account_name: str = Field(default="", max_length=100)
    style: Style = "new"
    free_trial: bool = False
    delivery: DeliveryMode = "now"


class Purchase(BaseModel):
    """One purchase as AWS Marketplace keeps it. An old-style one has a customer identifier and no license."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    product_code: str
    product_name: str
    account_id: str
    account_name: str
    style: Style
    free_trial: bool
    bought_at: datetime
    agreement_id: str
    license_arn: str | None
    customer_identifier: str | None
    # The rest has defaults because state files from before these fields are still read.
    status: Status = "pending"
    accepted_at: datetime | None = None
    ends_at: datetime | None = None
    earlier_agreement_ids: list[str] = []
    entitlements: list[Entitlement] = []

    @property
    def offer_id(self) -> str:
        """The offer that the buyer accepted with the present agreement."""
        return f"offer-{_digest(self.agreement_id)[:13]}"

    @property
    def product_id(self) -> str:
        """The listing's other id, which is not its product code."""
        return f"prod-{_digest(self.product_code)[:13]}"

    def resolve_customer_answer(self) -> dict[str, object]:
        """Return what ResolveCustomer says of this purchase."""
        known = {"ProductCode": self.product_code, "CustomerAWSAccountId": self.account_id}
        if self.style == "old":
            return known | {"CustomerIdentifier": self.customer_identifier}
        return known | {
            "CustomerIdentifier": "",
            "LicenseArn": self.license_arn,
            "Metadata": {"AgreementId": self.agreement_id},
        }

    def form_fields(self, token: str, *, extra: bool) -> dict[str, str]:
        """Return the fields that "Set up your account" makes the buyer's browser post."""
        fields = {"x-amzn-marketplace-token": token}
        if self.free_trial:
            fields["x-amzn-marketplace-offer-type"] = "free-trial"
        if extra:
            fields["x-amzn-marketplace-agreement-id"] = self.agreement_id
            fields["x-amzn-marketplace-product-id"] = self.product_id
        return fields


def new_buyer(name: str, account_id: str = "") -> Buyer:
    """Return a buyer with the account id, or with 12 random digits."""
    account_id = account_id or f"{secrets.randbelow(10**12):012}"
    return Buyer(account_id=account_id, name=name or f"Account {account_id}")


def create(order: Order, product: Product, buyer: Buyer) -> Purchase:
    """Return the purchase that an order makes: a new agreement and, in the new style, a new license."""
    old, now = order.style == "old", datetime.now(UTC)
    return Purchase(
        id=uuid4(),
        product_code=product.code,
        product_name=product.name,
        account_id=buyer.account_id,
        account_name=buyer.name,
        style=order.style,
        free_trial=order.free_trial,
        bought_at=now,
        agreement_id=new_agreement_id(),
        license_arn=None if old else new_license_arn(),
        # AWS keeps one identifier per account and product: buying again does not change it.
        customer_identifier=_digest(product.code + buyer.account_id)[:11] if old else None,
        accepted_at=now,
        # An agreement to pay for what is used has no end: only a contract is for a term.
        ends_at=None if product.pricing == "subscription" else now + CONTRACT_TERM,
    )


def new_agreement_id() -> str:
    """Return an agreement id that no purchase has."""
    return "agmt-" + "".join(secrets.choice(ascii_lowercase + digits) for _ in range(25))


def new_license_arn() -> str:
    """Return the ARN of a license that no purchase has, as ResolveCustomer and GetEntitlements spell it."""
    return f"arn:aws:license-manager::{SELLER_ACCOUNT_ID}:license:l-{secrets.token_hex(16)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
