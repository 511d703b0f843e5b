"""Checks of settings. Those of a single one return the value, or raise ValueError with what is wrong."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.config import secret_key, stray_characters

# A character of ASCII that is printed, without quotes and blanks.
ASCII = r"[!#-&(-_a-~]"
# A character of a URL's host and port, which may be in any script. `check_exact` refuses those that nobody sees.
URL_HOST = r"""[^\s/@?#"'`<>\\]"""


def split_commas(value: str) -> tuple[str, ...]:
    """Return the parts of the text between commas, without empty ones."""
    # Only blanks may stand around a comma: `strip` alone would hide line ends.
    return tuple(part.strip(" ") for part in value.split(",") if part.strip(" "))


def check_text(value: str) -> str:
    """Refuse a text with quotes around it, or with characters that no page and no mail may have."""
    if fault := stray_characters.find_in_text(value):
        raise ValueError(f"it has {fault}")
    return value


def check_exact(value: str) -> str:
    """Refuse a text with characters that a value which has to equal another machine's never has."""
    if fault := stray_characters.find_in_exact(value):
        raise ValueError(f"it has {fault}")
    return value


def check_secret_key(value: str) -> str:
    """Refuse a key that is plainly not random."""
    check_exact(value)
    if not secret_key.looks_random(value):
        raise ValueError("it must be random. This key repeats itself, counts up, or is made of words that examples use")
    return value


def find_repeated_keys(values: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with lists that have a key of another setting, which cannot be trusted and leaked."""
    lists = {name: values.get(name, ()) for name in ("secret_key_fallbacks", "secret_key_leaked")}
    problem = "it has the key that SECRET_KEY is set to. Set SECRET_KEY to a new one"
    problems = {name: problem for name, keys in lists.items() if values.get("secret_key") in keys}
    fallbacks, leaked = lists.values()
    if "secret_key_leaked" not in problems and not set(fallbacks).isdisjoint(leaked):
        problem = "it has a key that SECRET_KEY_FALLBACKS has, too. Remove it from there"
        problems["secret_key_leaked"] = problem
    return problems


def check_database_url(value: str) -> str:
    """Refuse any other database than SQLite in a file and PostgreSQL."""
    check_exact(value)
    try:
        url = make_url(value)
        dialect, prepare_threshold = url.get_backend_name(), url.query.get("prepare_threshold", "0")
    except ArgumentError:
        dialect, prepare_threshold = "", "0"
    if dialect not in {"sqlite", "postgresql", "postgres"} or (dialect == "sqlite" and not _is_file(url)):
        raise ValueError("it must be sqlite:/// and a path, or start with postgresql://")
    if dialect != "sqlite" and not _has_plain_names(url):
        raise ValueError("its host, user and database must have no blanks and quotes")
    if not (isinstance(prepare_threshold, str) and re.fullmatch("[0-9]{1,9}", prepare_threshold)):
        raise ValueError("prepare_threshold must be a number: how often a statement is used before it is prepared")
    return value


def check_ratelimit_storage_uri(value: str) -> str:
    """Refuse any other place than this process's memory and Redis."""
    check_exact(value)
    uri = _split_url(value, {"redis", "rediss"})
    if value != "memory://" and not (uri and (uri.path in {"", "/"} or uri.path[1:].isdecimal())):
        raise ValueError("it must be memory://, or start with redis:// or rediss:// and name a host")
    return value


def check_smtp_url(value: str) -> str:
    """Refuse a URL that does not name a mail server, or names a user without a password."""
    check_exact(value)
    url = _split_url(value, {"smtp", "smtps"})
    if url is None or url.path.strip("/") or url.query or url.fragment or (url.username and not url.password):
        raise ValueError("it must start with smtp:// or smtps:// and name a host, and a password if it names a user")
    return value


def _split_url(value: str, schemes: set[str]) -> SplitResult | None:
    # None where the URL has another scheme, no host or an impossible port: `port` raises ValueError above 65535.
    try:
        url = urlsplit(value)
        return url if url.scheme in schemes and _is_host(url.hostname or "") and url.port != 0 else None
    except ValueError:
        return None


def _is_file(url: URL) -> bool:
    # In memory, registrations would be lost. A URI of SQLite's own may mean memory as well, and is no path to look at.
    return url.database not in {None, "", ":memory:"} and "uri" not in url.query


def _has_plain_names(url: URL) -> bool:
    names = f"{url.username or ''}{url.database or ''}"
    return _is_host(url.host or "localhost") and not any(character in " \"'`" for character in names)


def _is_host(name: str) -> bool:
    # A DNS name, also in another script than Latin, or an IP address.
    return re.fullmatch(r"[\w.:%,-]+", name) is not None
