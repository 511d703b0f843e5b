"""Creates this process's AWS clients: each at its first use, after the fork, and shared by all threads.

A call stands in a block of `translate_errors`, which turns botocore's errors into those of `app.errors`.
"""

import functools
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials, RefreshableCredentials
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.loaders import Loader, create_loader
from flask import Flask, current_app

from app.aws import errors, open_connections
from app.aws.short_calls import ShortCall
from app.config.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_marketplace_entitlement import MarketplaceEntitlementServiceClient
    from mypy_boto3_meteringmarketplace import MarketplaceMeteringClient
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient


@dataclass(frozen=True)
class CallTimeouts:
    """Timeouts of one attempt, and the number of attempts, the first one included."""

    connect_seconds: float
    read_seconds: float
    max_attempts: int = 1

    @property
    def attempt_seconds(self) -> float:
        """The longest that one attempt takes."""
        return self.connect_seconds + self.read_seconds


OPERATOR_TIMEOUTS = CallTimeouts(2, 4, max_attempts=3)
ASSUME_ROLE_TIMEOUTS = CallTimeouts(1, 2)
CREDENTIALS_RETRY_SECONDS = 1
# https://docs.aws.amazon.com/general/latest/gr/aws-marketplace.html
ENTITLEMENT_REGION, ENTITLEMENT_REGION_IN_CHINA = "us-east-1", "cn-northwest-1"
CATALOG_REGION = "us-east-1"
REGION_PATTERN = re.compile(r"(?:^|\.)([a-z]{2,}(?:-[a-z]+)+-\d+)\.")
# The clients' names in botocore's list of endpoints.
ENDPOINT_NAMES = {
    "metering.marketplace",
    "entitlement.marketplace",
    "catalog.marketplace",
    "sqs",
    "events",
    "sts",
    "email",
}


class Clients:
    """AWS clients with the seller's Region and role. Each method returns the same client each time.

    Each raises NoCredentialsError where no credentials are found. The next call looks for them again.
    """

    def __init__(self, settings: Settings, max_connections: int) -> None:
        self._settings = settings
        self._max_connections = max_connections
        self._lock = threading.Lock()
        self._session: botocore.session.Session | None = None
        self._retry_credentials_at = 0.0
        self._clients: dict[tuple[str, CallTimeouts], Any] = {}
        self._resolve_customer: dict[CallTimeouts, ShortCall] = {}

    def metering(self, timeouts: CallTimeouts) -> "MarketplaceMeteringClient":
        """Return the Marketplace Metering client, which has ResolveCustomer."""
        return cast("MarketplaceMeteringClient", self._client("meteringmarketplace", timeouts))

    def resolve_customer(self, timeouts: CallTimeouts) -> ShortCall:
        """Return the call of ResolveCustomer."""
        if timeouts not in self._resolve_customer:
            self._resolve_customer[timeouts] = ShortCall(self.metering(timeouts), "ResolveCustomer")
        return self._resolve_customer[timeouts]

    def entitlements(self, timeouts: CallTimeouts) -> "MarketplaceEntitlementServiceClient":
        """Return the client for GetEntitlements, which each AWS partition has in one Region only."""
        region = ENTITLEMENT_REGION_IN_CHINA if self._settings.aws_region.startswith("cn-") else ENTITLEMENT_REGION
        return cast("MarketplaceEntitlementServiceClient", self._client("marketplace-entitlement", timeouts, region))

    def catalog(self) -> Any:
        """Return the AWS Marketplace Catalog client, which has ListEntities, in its only Region."""
        return self._client("marketplace-catalog", OPERATOR_TIMEOUTS, CATALOG_REGION)

    def sqs(self, timeouts: CallTimeouts) -> "SQSClient":
        """Return the SQS client in the Region of the events' queue."""
        return cast("SQSClient", self._client("sqs", timeouts, self._queue_region()))

    def eventbridge(self) -> "EventBridgeClient":
        """Return the EventBridge client in the Region of the events' queue: its rules are in the same Region."""
        return cast("EventBridgeClient", self._client("events", OPERATOR_TIMEOUTS, self._queue_region()))

    def sts(self) -> "STSClient":
        """Return the Security Token Service client, which has GetCallerIdentity."""
        return cast("STSClient", self._client("sts", OPERATOR_TIMEOUTS))

    def sesv2(self, timeouts: CallTimeouts) -> "SESV2Client":
        """Return the SES client, which has SendEmail."""
        return cast("SESV2Client", self._client("sesv2", timeouts))

    def _client(self, service: str, timeouts: CallTimeouts, region: str | None = None) -> Any:
        key = (service, timeouts)
        if key not in self._clients:
            with self._lock:
                if key not in self._clients:
                    session: Any = self._publisher_session()
                    client = session.create_client(service, region, config=self._config(timeouts))
                    open_connections.prepare(client)
                    self._clients[key] = client
        return self._clients[key]

    def _queue_region(self) -> str:
        # https://sqs.us-east-1.amazonaws.com/123456789012/foyer-events; a URL without a Region is a local queue.
        region = REGION_PATTERN.search(urlsplit(self._settings.events_queue_url or "").hostname or "")
        return region[1] if region else self._settings.aws_region

    def has_fresh_credentials(self) -> bool:
        """Return whether a call can be signed at once, with credentials that need no refresh."""
        credentials = self._session.get_credentials() if self._session else None
        return credentials is not None and not (
            isinstance(credentials, RefreshableCredentials) and credentials.refresh_needed()
        )

    def _config(self, timeouts: CallTimeouts) -> Config:
        return Config(
            region_name=self._settings.aws_region,
            connect_timeout=timeouts.connect_seconds,
            read_timeout=timeouts.read_seconds,
            retries={"mode": "standard", "total_max_attempts": timeouts.max_attempts},
            max_pool_connections=self._max_connections,
            tcp_keepalive=True,
            # botocore builds its default user agent twice for each call.
            user_agent="foyer",
        )

    def _publisher_session(self) -> botocore.session.Session:
        """Return a session of the AWS account that published the product: AWS resolves its tokens for no other."""
        if self._session is None:
            # The search can take seconds. Threads that waited for the lock must not repeat a failed one in turn.
            if time.monotonic() < self._retry_credentials_at:
                raise NoCredentialsError
            session = new_session()
            if arn := self._settings.marketplace_role_arn:
                external_id = self._settings.marketplace_role_external_id
                role = PublisherRole(arn, external_id, self._config(ASSUME_ROLE_TIMEOUTS))
                session.register_component("credential_provider", role)
            credentials = None
            try:
                credentials = session.get_credentials()
            finally:
                self._retry_credentials_at = 0 if credentials else time.monotonic() + CREDENTIALS_RETRY_SECONDS
            # A client made without credentials would never look for them again.
            if credentials is None:
                raise NoCredentialsError
            # The clients with which botocore fetches credentials, as for a profile's role, call this Region, too.
            session.set_config_variable("region", self._settings.aws_region)
            self._session = session
        return self._session


@dataclass(frozen=True)
class PublisherRole:
    """Credentials of `MARKETPLACE_ROLE_ARN`, assumed with the machine's own and refreshed before they expire.

    Stands in for botocore's CredentialResolver.
    """

    arn: str
    external_id: str | None
    config: Config

    def load_credentials(self) -> DeferredRefreshableCredentials | None:
        """Return the role's credentials, or None where the machine has no credentials to assume it with."""
        session = new_session()
        credentials = session.get_credentials()
        if credentials is None:
            return None
        create_client = functools.partial(session.create_client, config=self.config)
        arguments = {"RoleSessionName": "foyer"} | ({"ExternalId": self.external_id} if self.external_id else {})
        fetcher = AssumeRoleCredentialFetcher(create_client, credentials, self.arn, arguments)
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")


def new_session() -> botocore.session.Session:
    """Return a session with this machine's own credentials."""
    session = botocore.session.Session()
    session.register_component("data_loader", _shared_loader(session.get_config_variable("data_path")))
    return session


@functools.cache
def _shared_loader(data_path: str | None) -> Loader:
    """Return the loader of service models, which are large: it reads each once per process.

    Of the endpoints of all services, which are 7 MB, it keeps those of Foyer's clients.
    """
    loader = create_loader(data_path)
    for partition in loader.load_data("endpoints")["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in ENDPOINT_NAMES & services.keys()}
    return loader


def init_app(app: Flask, settings: Settings) -> None:
    """Add this process's clients to the application."""
    app.extensions["aws"] = Clients(settings, app.config["THREADS"])


def current() -> Clients:
    """Return the running application's clients."""
    return cast(Clients, current_app.extensions["aws"])


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn the errors of the AWS calls in the block into ours."""
    try:
        yield
    except ClientError as error:
        raise errors.from_client_error(error) from error
    except errors.NO_RESPONSE_ERRORS as error:
        raise errors.from_missing_response(error) from error


@contextmanager
def sqs_calls(timeouts: CallTimeouts) -> "Iterator[SQSClient]":
    """Give the block the SQS client, and turn the errors of its calls into ours."""
    with translate_errors():
        yield current().sqs(timeouts)
