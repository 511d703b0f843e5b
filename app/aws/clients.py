"""One process's clients to AWS: each made at its first use, after the fork, and shared by all threads."""

import functools
import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
    RefreshableCredentials,
)
from botocore.exceptions import NoCredentialsError
from botocore.loaders import Loader, create_loader
from flask import Flask, current_app

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
    """How long a call may take: seconds to connect, seconds to be answered, and how often it is tried in all."""

    connect_seconds: float
    read_seconds: float
    max_attempts: int = 1

    @property
    def attempt_seconds(self) -> float:
        """What one attempt takes at the most."""
        return self.connect_seconds + self.read_seconds


OPERATOR_TIMEOUTS = CallTimeouts(2, 4, max_attempts=3)
ASSUME_ROLE_TIMEOUTS = CallTimeouts(1, 2)
CREDENTIALS_RETRY_SECONDS = 1
# https://docs.aws.amazon.com/general/latest/gr/aws-marketplace.html
ENTITLEMENT_REGION, ENTITLEMENT_REGION_IN_CHINA = "us-east-1", "cn-northwest-1"
REGION_PATTERN = re.compile(r"(?:^|\.)([a-z]{2,}(?:-[a-z]+)+-\d+)\.")


class Clients:
    """AWS clients with the seller's Region and role."""

    def __init__(self, settings: Settings, max_connections: int) -> None:
        self._settings = settings
        self._max_connections = max_connections
        self._lock = threading.Lock()
        self._session: boto3.Session | None = None
        self._retry_credentials_at = 0.0
        self._clients: dict[tuple[str, CallTimeouts], Any] = {}

    def metering(self, timeouts: CallTimeouts) -> "MarketplaceMeteringClient":
        """Return the Marketplace Metering client, which has ResolveCustomer.

        Every client raises, when it is asked for:
            NoCredentialsError: there are none; the next call looks for them again.
        """
        client: MarketplaceMeteringClient = self._client("meteringmarketplace", timeouts, self._settings.aws_region)
        return client

    def entitlements(self, timeouts: CallTimeouts) -> "MarketplaceEntitlementServiceClient":
        """Return the Marketplace Entitlement client, which has GetEntitlements: each partition has it in one Region."""
        region = ENTITLEMENT_REGION_IN_CHINA if self._settings.aws_region.startswith("cn-") else ENTITLEMENT_REGION
        client: MarketplaceEntitlementServiceClient = self._client("marketplace-entitlement", timeouts, region)
        return client

    def sqs(self, timeouts: CallTimeouts) -> "SQSClient":
        """Return the SQS client for the Region of the events' queue."""
        client: SQSClient = self._client("sqs", timeouts, self._queue_region())
        return client

    def eventbridge(self) -> "EventBridgeClient":
        """Return the EventBridge client for the Region of the events' queue, which is its rules' Region."""
        client: EventBridgeClient = self._client("events", OPERATOR_TIMEOUTS, self._queue_region())
        return client

    def sts(self) -> "STSClient":
        """Return a Security Token Service client that says whose credentials these are."""
        client: STSClient = self._client("sts", OPERATOR_TIMEOUTS, self._settings.aws_region)
        return client

    def sesv2(self, timeouts: CallTimeouts) -> "SESV2Client":
        """Return the SES client that sends mail."""
        client: SESV2Client = self._client("sesv2", timeouts, self._settings.aws_region)
        return client

    def _client(self, service: str, timeouts: CallTimeouts, region: str) -> Any:
        key = (service, timeouts)
        if key not in self._clients:
            with self._lock:
                if key not in self._clients:
                    config = self._config(timeouts).merge(Config(region_name=region))
                    publisher: Any = self._publisher_session()
                    self._clients[key] = publisher.client(service, config=config)
        return self._clients[key]

    def _queue_region(self) -> str:
        # https://sqs.us-east-1.amazonaws.com/123456789012/foyer-events; a queue elsewhere is on this machine.
        host = urlsplit(self._settings.events_queue_url or "").hostname or ""
        named = REGION_PATTERN.search(host)
        return named[1] if named else self._settings.aws_region

    def has_fresh_credentials(self) -> bool:
        """Return whether a call can be signed at once, without asking anybody for credentials."""
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
            # botocore's own is put together anew, twice, for each call.
            user_agent="foyer",
        )

    def _publisher_session(self) -> boto3.Session:
        """Return a session of the account that published the product: only that one can resolve."""
        if self._session is None:
            # Those who waited while somebody looked in vain do not look once more each, one after another.
            if time.monotonic() < self._retry_credentials_at:
                raise NoCredentialsError
            session = _new_session()
            if self._settings.marketplace_role_arn:
                role = self._role_provider(self._settings.marketplace_role_arn)
                session.register_component("credential_provider", CredentialResolver([role]))
            credentials = None
            try:
                credentials = session.get_credentials()
            finally:
                self._retry_credentials_at = 0 if credentials else time.monotonic() + CREDENTIALS_RETRY_SECONDS
            # A client made without credentials would never look for them again.
            if credentials is None:
                raise NoCredentialsError
            self._session = boto3.Session(botocore_session=session, region_name=self._settings.aws_region)
        return self._session

    def _role_provider(self, role_arn: str) -> "PublisherRoleProvider":
        source = _new_session()
        arguments = {"RoleSessionName": "foyer", "ExternalId": self._settings.marketplace_role_external_id}
        return PublisherRoleProvider(
            functools.partial(source.create_client, config=self._config(ASSUME_ROLE_TIMEOUTS)),
            source.get_credentials(),
            role_arn,
            {name: value for name, value in arguments.items() if value},
        )


class PublisherRoleProvider(CredentialProvider):
    """Credentials of `MARKETPLACE_ROLE_ARN`, assumed with the machine's own and renewed before they expire."""

    METHOD = "assume-role"

    def __init__(self, create_client: Any, source: Any, role_arn: str, arguments: dict[str, str]) -> None:
        super().__init__()
        self._fetcher = AssumeRoleCredentialFetcher(create_client, source, role_arn, arguments) if source else None

    def load(self) -> DeferredRefreshableCredentials | None:
        """Return the role's credentials, or None where the machine has none to assume it with."""
        if self._fetcher is None:
            return None
        return DeferredRefreshableCredentials(self._fetcher.fetch_credentials, self.METHOD)


def _new_session() -> botocore.session.Session:
    """Return a session of botocore's that reads what AWS's services are like no more than once a process."""
    session = botocore.session.Session()
    session.register_component("data_loader", _cached_loader(session.get_config_variable("data_path")))
    return session


@functools.cache
def _cached_loader(data_path: str | None) -> Loader:
    return create_loader(data_path)


def init_app(app: Flask, settings: Settings) -> None:
    """Keep this process's clients on the application; none is made before it is used."""
    app.extensions["aws"] = Clients(settings, app.config["THREADS"])


def current() -> Clients:
    """Return the running application's clients."""
    clients: Clients = current_app.extensions["aws"]
    return clients
