"""How Foyer logs in to the database: with a password of one of three settings, or with IAM's tokens for Amazon RDS."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sqlalchemy.engine import URL, make_url

from app.config import environment

# https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION
ENCRYPTED_MODES = {"require", "verify-ca", "verify-full"}
# foyer.c0ffee.eu-central-1.rds.amazonaws.com, foyer.cluster-c0ffee.cn-north-1.rds.amazonaws.com.cn
RDS_HOST = re.compile(r".+\.([a-z]{2,}(?:-[a-z]+)+-[0-9]+)\.rds\.amazonaws\.com(?:\.cn)?\.?", re.IGNORECASE)
POSTGRESQL_PORT = 5432
NOT_POSTGRESQL = "DATABASE_URL must start with postgresql://"
SECOND_PASSWORD = "DATABASE_URL has a password as well. Remove one of them"  # noqa: S105
NO_TOKEN_NEEDED = "there is a password as well. Remove it from DATABASE_URL, or unset DATABASE_PASSWORD"  # noqa: S105


class IamLogin(NamedTuple):
    """What a token of IAM's is for."""

    host: str
    port: int
    user: str
    region: str


def password_reader(password: str | None) -> Callable[[], str] | None:
    """Return a function for the password of a connection that is made now; None where that is no file.

    A secret manager may write DATABASE_PASSWORD_FILE anew at any time. While it cannot be read, the last one stays.
    """
    if password is None or environment.find("database_password_file").value is None:
        return None
    latest = [password]

    def read_now() -> str:
        found = environment.find_secret("database_password")
        if found.value and not found.problem:
            latest[0] = found.value
        return latest[0]

    return read_now


def iam_login(url: URL, default_region: str) -> IamLogin:
    """Return what to make tokens for, to log in to the RDS database at this URL."""
    match = RDS_HOST.fullmatch(url.host or "")
    region = match[1].lower() if match else default_region
    return IamLogin(url.host or "", url.port or POSTGRESQL_PORT, url.username or "", region)


def find_contradictions(values: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with settings that are right by themselves, and do not go with DATABASE_URL."""
    url = make_url(values.get("database_url", "sqlite://"))
    if url.get_backend_name() == "sqlite":
        faults: dict[str, str | None] = dict.fromkeys(("database_password", "database_iam_auth"), NOT_POSTGRESQL)
    else:
        url_has_one = bool(url.password) or "password" in url.query
        has_one = url_has_one or "database_password" in values
        faults = {
            "database_password": SECOND_PASSWORD if url_has_one else None,
            "database_iam_auth": NO_TOKEN_NEEDED if has_one else _find_iam_fault(url),
        }
    return {name: fault for name, fault in faults.items() if fault and values.get(name)}


def _find_iam_fault(url: URL) -> str | None:
    """Return what DATABASE_URL lacks. A token is for one host, port and user, and PostgreSQL is sent it in clear."""
    if not url.host or not url.username or "," in url.host or not url.query.keys().isdisjoint({"host", "port", "user"}):
        return "DATABASE_URL must name one host and the user, as postgresql://user@host/name does"
    if url.query.get("sslmode") not in ENCRYPTED_MODES:
        return "it needs TLS. Add ?sslmode=verify-full&sslrootcert=... or at least ?sslmode=require to DATABASE_URL"
    return None
