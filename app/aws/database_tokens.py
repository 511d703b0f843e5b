"""Makes IAM's tokens, with which Foyer logs in to Amazon RDS in place of a password.

A token is the URL of a call that nobody makes, signed for 15 minutes: it costs no call to AWS. RDS looks at it when a
connection is made. https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
"""

import threading
import time
from collections.abc import Callable

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import NoCredentialsError

from app import deadline
from app.aws import clients
from app.config import database_login
from app.config.database_login import IamLogin
from app.config.settings import Settings
from app.database import faults
from app.errors import DatabaseUnavailable, MarketplaceError

TOKEN_SECONDS = 900


class TokenMaker:
    """Makes tokens with this machine's own credentials: those of MARKETPLACE_ROLE_ARN are of another account."""

    def __init__(self, login: IamLogin) -> None:
        self._login = login
        self._lock = threading.Lock()
        self._credentials: Credentials | None = None
        self._retry_at = 0.0

    def new_token(self) -> str:
        """Return a token for one connection.

        Raises:
            DatabaseUnavailable: this machine has no credentials, or they cannot be had by the deadline.
        """
        try:
            with clients.translate_errors():
                # To find or refresh credentials can take several calls, each with a timeout of its own.
                credentials = deadline.bounded_call(self._current_credentials, deadline.seconds_left())
                return self._sign(credentials)
        except MarketplaceError as error:
            raise DatabaseUnavailable(f"{faults.NO_CREDENTIALS} {error.code}") from error

    def _sign(self, credentials: ReadOnlyCredentials) -> str:
        login = self._login
        request = AWSRequest(
            "GET", f"https://{login.host}:{login.port}/", data={"Action": "connect", "DBUser": login.user}
        )
        SigV4QueryAuth(credentials, "rds-db", login.region, expires=TOKEN_SECONDS).add_auth(request)
        return str(request.url).removeprefix("https://")

    def _current_credentials(self) -> ReadOnlyCredentials:
        """Return the credentials; those of a role are refreshed when they are about to expire."""
        # While one thread tries in vain, the others must neither pile up nor try in turn.
        if not self._lock.acquire(timeout=deadline.REQUEST_SECONDS):
            raise TimeoutError
        try:
            # A caller that is refused here must not put the next try off.
            if time.monotonic() < self._retry_at:
                raise NoCredentialsError
            credentials: ReadOnlyCredentials | None = None
            try:
                credentials = self._find_credentials().get_frozen_credentials()
                return credentials
            finally:
                self._retry_at = 0 if credentials else time.monotonic() + clients.CREDENTIALS_RETRY_SECONDS
        finally:
            self._lock.release()

    def _find_credentials(self) -> Credentials:
        if self._credentials is None:
            session = clients.new_session()
            credentials = session.get_credentials()
            if credentials is None:
                raise NoCredentialsError
            # For the clients with which botocore fetches credentials, as for a profile's role.
            session.set_config_variable("region", self._login.region)
            self._credentials = credentials
        return self._credentials


def maker(settings: Settings) -> Callable[[], str] | None:
    """Return the function that makes a token for each new connection; None where DATABASE_IAM_AUTH is not set."""
    if not settings.database_iam_auth:
        return None
    return TokenMaker(database_login.iam_login(settings.sqlalchemy_url, settings.aws_region)).new_token
