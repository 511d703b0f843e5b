"""ResolveCustomer: turns a registration token into the customer who bought.

Follows https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-metering_ResolveCustomer.html
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from flask import Flask, current_app

from app.aws import clients, faults
from app.errors import IncompleteAnswer, MarketplaceUnavailable

# A buyer is watching a blank page: past this they are told that AWS is slow.
BUDGET_SECONDS = 5


@dataclass(frozen=True)
class Customer:
    """Who bought what, as ResolveCustomer tells it. What AWS left out, or sent empty, is None."""

    product_code: str
    account_id: str | None
    customer_identifier: str | None
    license_arn: str | None
    agreement_id: str | None


def resolve(token: str) -> Customer:
    """Return the customer whose browser brought the registration token.

    Takes 5 seconds at the most, retries, credentials and name look-up included.

    Raises:
        InvalidToken, ExpiredToken: the buyer has to start again from AWS Marketplace.
        Throttled, MarketplaceUnavailable: AWS may answer a little later.
        ApiDisabled, CredentialsRefused, PermissionDenied: the seller has to mend the set-up.
        IncompleteAnswer: AWS named no product, or no customer.
    """
    calls: ThreadPoolExecutor = current_app.extensions["aws.calls"]
    call = calls.submit(_call, clients.current(), token)
    try:
        return customer(call.result(BUDGET_SECONDS))
    except TimeoutError as error:
        call.cancel()
        raise MarketplaceUnavailable("TimeBudgetExceeded") from error
    except ClientError as error:
        raise faults.named(error) from error
    except faults.WITHOUT_ANSWER as error:
        raise faults.without_answer(error) from error


def customer(answer: dict[str, Any]) -> Customer:
    """Return the customer in an answer of ResolveCustomer.

    Raises:
        IncompleteAnswer: the product code is missing, or both customer ids are.
    """
    account_id = answer.get("CustomerAWSAccountId") or None
    customer_identifier = answer.get("CustomerIdentifier") or None
    product_code = answer.get("ProductCode")
    if not product_code or not (account_id or customer_identifier):
        raise IncompleteAnswer("ProductCode" if not product_code else "CustomerAWSAccountId")
    metadata = answer.get("Metadata") or {}
    return Customer(
        product_code=product_code,
        account_id=account_id,
        customer_identifier=customer_identifier,
        license_arn=answer.get("LicenseArn") or None,
        agreement_id=metadata.get("AgreementId") or None,
    )


def init_app(app: Flask) -> None:
    """Give the application the threads its calls run on; no thread starts before the first call.

    botocore's timeouts bound neither a name look-up nor an assumed role nor several tries together:
    a call on its own thread can be left behind when the buyer's time is up.
    """
    app.extensions["aws.calls"] = ThreadPoolExecutor(app.config["THREADS"], thread_name_prefix="aws")


def _call(aws: clients.Clients, token: str) -> dict[str, Any]:
    return dict(aws.metering.resolve_customer(RegistrationToken=token))
