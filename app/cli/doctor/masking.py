"""Masks secrets in what the doctor prints: people paste it into tickets.

In URLs these are passwords, and values in queries and fragments; in any other text the secrets that the settings hold.
"""

import os
import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from app.config import environment, products
from app.config.setting_checks import split_commas
from app.config.settings import SECRETS

MASK = "***"
# In the doctor's own advice.
EXAMPLE = "user:password@"
URL = re.compile(r"([a-z][a-z0-9+.-]*)://[^\s\"'<>`]+", re.IGNORECASE)
# A sentence may go on after a URL.
PUNCTUATION = ".,;:)]"
# Parameters of database drivers, by which an operator knows the database again.
SHOWN_PARAMETERS = {
    "application_name",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "mode",
    "options",
    "port",
    "prepare_threshold",
    "user",
}
SHOWN_PARAMETERS |= {"sslmode", "sslrootcert", "target_session_attrs", "timeout", "uri"}
# Such a part of a path was most likely drawn at random.
KEY_IN_PATH = re.compile(r"(?<=/)(?=[A-Za-z_]*[0-9])(?=[0-9_]*[A-Za-z])[A-Za-z0-9_]{20,}(?=/|$)")
# Of these, the password alone is masked.
URL_SETTINGS = {name for name in SECRETS if name.endswith(("_url", "_uri"))}
AWS_SECRETS = ("aws_secret_access_key", "aws_session_token", "aws_security_token")
# A shorter secret could be a part of any word.
MIN_SECRET_LENGTH = 6


def mask(text: str) -> str:
    """Return the text without secrets."""
    for secret in sorted(_secrets(), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", MASK, text)
    return URL.sub(lambda match: _mask_url(match[0]), text)


def _mask_url(matched: str) -> str:
    url = matched.rstrip(PUNCTUATION)
    scheme, rest = url.split("://", 1)
    is_web = scheme.lower() in {"http", "https"}
    user_info, rest = _split_user_info(rest)
    rest, hash_sign, fragment = rest.partition("#")
    place, question_mark, query = rest.partition("?")
    place = KEY_IN_PATH.sub(MASK, place) if is_web else place
    query = "&".join(_mask_parameter(part, is_web=is_web) for part in query.split("&")) if query else ""
    masked = f"{scheme}://{_mask_user_info(user_info, is_web=is_web)}{place}{question_mark}{query}{hash_sign}"
    return f"{masked}{MASK if fragment else ''}{matched[len(url) :]}"


def _split_user_info(rest: str) -> tuple[str, str]:
    # A password that is not percent-encoded can have the characters that end a host.
    host_end = rest.partition("/")[0].rfind("@")
    at_sign = host_end if host_end >= 0 else re.split("[?#]", rest)[0].rfind("@")
    return rest[: at_sign + 1], rest[at_sign + 1 :]


def _mask_user_info(user_info: str, *, is_web: bool) -> str:
    user, colon, _ = user_info.partition(":")
    if not user_info or user_info == EXAMPLE or not (colon or is_web):
        return user_info
    return f"{user}:{MASK}@" if colon else f"{MASK}@"


def _mask_parameter(part: str, *, is_web: bool) -> str:
    name, equals_sign, _ = part.partition("=")
    if not is_web and name.lower() in SHOWN_PARAMETERS:
        return part
    return f"{name}={MASK}" if equals_sign else MASK


def _secrets() -> Iterator[str]:
    for name in {*SECRETS, *AWS_SECRETS, *_handoff_secrets()} - URL_SETTINGS:
        secret = environment.find_secret(name).value or ""
        yield from (part for part in {secret, *split_commas(secret)} if len(part) >= MIN_SECRET_LENGTH)
    for value in [*os.environ.values(), *(environment.find_secret(name).value or "" for name in URL_SETTINGS)]:
        if "://" in value and (password := _password(value)) and len(password) >= MIN_SECRET_LENGTH:
            yield from {password, unquote(password)}


def _handoff_secrets() -> set[str]:
    return {product.handoff_secret_setting.lower() for product in products.current().values()}


def _password(url: str) -> str | None:
    try:
        return urlsplit(url).password
    except ValueError:
        return None
