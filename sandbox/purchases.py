"""Buyers, orders, and the purchases that AWS Marketplace creates from them."""

import hashlib
import secrets
from datetime import datetime, timedelta
from string import ascii_lowercase, digits
from typing import Literal
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field

from app.config.products import Product
from sandbox.entitlements import Entitlement
from sandbox.seller_account import MARKETPLACE_ACCOUNT_ID
from sandbox.strict_model import StrictModel

Style = Literal["new", "old"]
Status = Literal["pending", "active", "ending", "ended", "failed"]
DeliveryMode = Literal["now", "late", "twice", "reversed"]

CONTRACT_TERM = timedelta(days=365)


class Buyer(BaseModel):
    """The AWS account of a buyer."""

    model_config = ConfigDict(frozen=True)

    account_id: str
    name: str


class Order(StrictModel):
    """An order of the storefront's form or the JSON API. Without an account id, a new account is created."""

    product_code: str
    account_id: str = Field(default="", pattern=r"^(\d{12})?$")
    account_name: str = Field(default="", max_length=100)
    style: Style = "new"
    free_trial: bool = False
    delivery: DeliveryMode = "now"


class Purchase(BaseModel):
    """One purchase. An old-style one has a customer identifier and no license."""

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
    # These fields have defaults so that older state files, which lack them, still load.
    status: Status = "pending"
    accepted_at: datetime | None = None
    ends_at: datetime | None = None
    earlier_agreement_ids: list[str] = []
    entitlements: list[Entitlement] = []

    @property
    def offer_id(self) -> str:
        """The offer of the current agreement."""
        return f"offer-{_digest(self.agreement_id)[:13]}"

    @property
    def intent(self) -> str:
        """Why the current agreement was made, in EventBridge's word."""
        return "RENEW" if self.earlier_agreement_ids else "NEW"

    @property
    def product_id(self) -> str:
        """The listing's product id, which differs from its product code."""
        return product_id(self.product_code)

    def resolve_customer_answer(self) -> dict[str, object]:
        """Return the ResolveCustomer response for this purchase."""
        response = {"ProductCode": self.product_code, "CustomerAWSAccountId": self.account_id}
        if self.style == "old":
            return response | {"CustomerIdentifier": self.customer_identifier}
        return response | {
            "CustomerIdentifier": "",
            "LicenseArn": self.license_arn,
            "Metadata": {"AgreementId": self.agreement_id},
        }

    def form_fields(self, token: str, *, extra: bool) -> dict[str, str]:
        """Return the fields that "Set up your account" posts. `extra` adds the unsigned agreement and product ids."""
        fields = {"x-amzn-marketplace-token": token}
        if self.free_trial:
            fields["x-amzn-marketplace-offer-type"] = "free-trial"
        if extra:
            fields["x-amzn-marketplace-agreement-id"] = self.agreement_id
            fields["x-amzn-marketplace-product-id"] = self.product_id
        return fields


def new_buyer(name: str, account_id: str = "") -> Buyer:
    """Return a buyer; without an account id, 12 random digits are chosen."""
    account_id = account_id or f"{secrets.randbelow(10**12):012}"
    return Buyer(account_id=account_id, name=name or f"Account {account_id}")


def create(order: Order, product: Product, buyer: Buyer, now: datetime) -> Purchase:
    """Return the purchase of an order, with a new agreement and, in the new style, a new license."""
    old = order.style == "old"
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
        # AWS has one identifier per account and product, so a second purchase gets the same one.
        customer_identifier=_digest(product.code + buyer.account_id)[:11] if old else None,
        accepted_at=now,
        # Only a contract has a term; a usage-only agreement has no end.
        ends_at=None if product.pricing == "subscription" else now + CONTRACT_TERM,
    )


def new_agreement_id() -> str:
    """Return a random agreement id."""
    return "agmt-" + "".join(secrets.choice(ascii_lowercase + digits) for _ in range(25))


def new_license_arn() -> str:
    """Return a random license ARN, as ResolveCustomer, GetEntitlements and events spell it."""
    return f"arn:aws:license-manager::{MARKETPLACE_ACCOUNT_ID}:license:l-{secrets.token_hex(16)}"


def product_id(product_code: str) -> str:
    """Return the product id of the listing with that product code."""
    return f"prod-{_digest(product_code)[:13]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
