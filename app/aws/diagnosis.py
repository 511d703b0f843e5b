"""What AWS says of the seller's set-up: whose credentials these are, and whether they may resolve."""

import time
from dataclasses import dataclass

from botocore.exceptions import ClientError

from app.aws import clients, faults, marketplace
from app.errors import (
    CredentialsRefused,
    ExpiredToken,
    IncompleteAnswer,
    InvalidToken,
    MarketplaceError,
    PermissionDenied,
)

MADE_UP_TOKEN = "made-up-by-the-doctor"  # noqa: S105  # no secret: AWS has to refuse it


class RoleRefused(MarketplaceError):
    """AWS does not let the machine's credentials assume the role they are told to."""


@dataclass(frozen=True)
class Caller:
    """Whom AWS takes us for."""

    account_id: str
    arn: str


def caller() -> Caller:
    """Return whose credentials these are: the role's, where `MARKETPLACE_ROLE_ARN` is set.

    Follows https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html

    Raises:
        RoleRefused, CredentialsRefused: the seller has to mend the set-up.
        Throttled, MarketplaceUnavailable: AWS could not be asked.
    """
    try:
        answer = clients.current().sts().get_caller_identity()
        return Caller(answer["Account"], answer["Arn"])
    except ClientError as error:
        raise _about_the_caller(error) from error
    except faults.WITHOUT_ANSWER as error:
        raise faults.without_answer(error) from error


def try_resolving() -> str:
    """Have AWS refuse a made-up token, which it does only for who may resolve; return the URL where it did.

    Raises:
        RoleRefused, PermissionDenied, CredentialsRefused, ApiDisabled: the seller has to mend the set-up.
        Throttled, MarketplaceUnavailable: AWS could not be asked.
        IncompleteAnswer: what answered is not AWS.
    """
    try:
        marketplace.resolve_afresh(MADE_UP_TOKEN, time.monotonic() + marketplace.BUDGET_SECONDS)
    except (InvalidToken, ExpiredToken):
        return clients.current().metering(clients.OPERATOR).meta.endpoint_url
    except PermissionDenied as error:
        raise (RoleRefused(error.code) if _is_about_the_role(error.__cause__) else error) from error.__cause__
    raise IncompleteAnswer("Resolved")


def _about_the_caller(error: ClientError) -> MarketplaceError:
    fault = faults.named(error)
    if not isinstance(fault, PermissionDenied):
        return fault
    # To ask who one is needs no permission.
    return RoleRefused(fault.code) if _is_about_the_role(error) else CredentialsRefused(fault.code)


def _is_about_the_role(error: BaseException | None) -> bool:
    return isinstance(error, ClientError) and error.operation_name == "AssumeRole"
