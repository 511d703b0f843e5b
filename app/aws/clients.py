"""One process's clients to AWS: each made at its first use, after the fork, and shared by all threads."""

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from flask import Flask, current_app

from app.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_meteringmarketplace import MarketplaceMeteringClient
    from mypy_boto3_sts import STSClient

# A browser waits for the answer: a connection that hangs is given up early enough for another try.
CONNECT_SECONDS = 2
READ_SECONDS = 4
ATTEMPTS = 3


class Clients:
    """AWS clients with the seller's Region, role and time limits."""

    def __init__(self, settings: Settings, connections: int) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._config = Config(
            region_name=settings.aws_region,
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=connections,
            tcp_keepalive=True,
        )
        self._session: boto3.Session | None = None
        self._metering: MarketplaceMeteringClient | None = None

    @property
    def metering(self) -> "MarketplaceMeteringClient":
        """The Marketplace Metering client, which has ResolveCustomer."""
        if self._metering is None:
            with self._lock:
                if self._metering is None:
                    self._metering = self._publisher().client("meteringmarketplace", config=self._config)
        return self._metering

    def sts(self) -> "STSClient":
        """Return a Security Token Service client that says whose credentials these are."""
        with self._lock:
            return self._publisher().client("sts", config=self._config)

    def _publisher(self) -> boto3.Session:
        """Return a session of the account that published the product: only that one can resolve."""
        if self._session is None:
            session = botocore.session.Session()
            if self._settings.marketplace_role_arn:
                role = self._role(self._settings.marketplace_role_arn)
                session.register_component("credential_provider", CredentialResolver([role]))
            self._session = boto3.Session(botocore_session=session, region_name=self._settings.aws_region)
        return self._session

    def _role(self, role_arn: str) -> "PublisherRole":
        source = botocore.session.Session()
        arguments = {"RoleSessionName": "foyer", "ExternalId": self._settings.marketplace_role_external_id}
        return PublisherRole(
            partial(source.create_client, config=self._config),
            source.get_credentials(),
            role_arn,
            {name: value for name, value in arguments.items() if value},
        )


class PublisherRole(CredentialProvider):
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


def init_app(app: Flask, settings: Settings) -> None:
    """Keep this process's clients on the application; none is made before it is used."""
    app.extensions["aws"] = Clients(settings, app.config["THREADS"])


def current() -> Clients:
    """Return the running application's clients."""
    clients: Clients = current_app.extensions["aws"]
    return clients
