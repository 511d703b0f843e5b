"""Settings with characters that came in on the way: quotes, line ends, blanks, and what nobody sees are refused."""

import json
import re
from pathlib import Path

import pytest

from app.config import handoff_endpoints, products, settings
from app.config.products import PRODUCT_FIELDS, Products
from app.config.settings import SETTINGS, SettingsError
from tests.support import factories
from tests.support.handoff_receiver import SECRET

# A valid value for every setting. Those of the second group have to equal AWS's word, or another machine's.
TEXTS = {
    "PRODUCT_NAME": "Acme Insights",
    "PRODUCT_READY_WITHIN": "one working day",
    "PRODUCT_PRICING": "contract",
    "SESSION_COOKIE_SECURE": "true",
    "DATABASE_PASSWORD": "pa:s/s@w?o#r%41d",
    "DATABASE_IAM_AUTH": "false",
    "HANDOFF_ALLOW_PRIVATE": "true",
    "TRUSTED_PROXIES": "1",
    "RETENTION_DAYS": "30",
    "LOG_FORMAT": "json",
    "LOG_LEVEL": "INFO",
}
EXACT = {
    "SECRET_KEY": "6f1d3c589d534f0e9f430c3f4a7a1f11",
    "SECRET_KEY_FALLBACKS": "0b7d7c5e6c3a4f0e8f2b0d5d1f6c7a10",
    "SECRET_KEY_LEAKED": "3c1f9a6de2b84d7593a05be7c4f81d26",
    "DATABASE_URL": "postgresql://me@db.example/foyer",
    "PRODUCTS_FILE": "products.toml",
    "PRODUCT_CODE": "prodcode1234567890",
    "PRODUCT_SIGN_IN_URL": "https://app.acme.example/login",
    "PRODUCT_HANDOFF_URL": "https://app.acme.example/foyer",
    "PRODUCT_NOTIFY_EMAIL": "sales@acme.example",
    "SUPPORT_EMAIL": "help@acme.example",
    "AWS_REGION": "us-east-1",
    "MARKETPLACE_ROLE_ARN": "arn:aws:iam::123456789012:role/foyer",
    "MARKETPLACE_ROLE_EXTERNAL_ID": "foyer-4b1d7e",
    "EVENTS_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/foyer-events",
    "SITE_URL": "https://start.acme.example",
    "HANDOFF_SECRET": SECRET,
    "MAIL_FROM": "start@acme.example",
    "SMTP_URL": "smtps://me:pass@mail.acme.example",
    "SES_CONFIGURATION_SET": "foyer",
    "TRUSTED_HOSTS": "start.acme.example",
    "LANDING_PATHS": "/redirectmarketplacetoken",
    "RATELIMIT_STORAGE_URI": "redis://:pass@redis.example:6379/0",
}
# Blanks may stand around the commas of a list.
LISTS = {"SECRET_KEY_FALLBACKS", "SECRET_KEY_LEAKED", "HANDOFF_SECRET", "TRUSTED_HOSTS", "LANDING_PATHS"}
QUOTES = [('"', '"'), ("'", "'"), ("`", "`"), ("“", "”"), ("‘", "’"), ("«", "»")]
# The last one is a byte that is not UTF-8.
CONTROLS = ["\r", "\n", "\t", "\x1b", "\x7f", "\udcff"]
BLANKS = [" ", "\u00a0", "\u3000"]
INVISIBLE = ["\u200b", "\ufeff", "\u2060", "\u00ad", "\u202e", "\u3164", "\ufe0f"]


@pytest.fixture
def seller(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment of a seller who has set everything but the file of products."""
    factories.clear_environment(monkeypatch)
    for name, value in {**TEXTS, **EXACT}.items():
        if name != "PRODUCTS_FILE":
            monkeypatch.setenv(name, value)
    return monkeypatch


def load() -> Products:
    loaded = settings.load()
    codes = products.load(loaded)
    for product in codes.values():
        handoff_endpoints._build_endpoint(product, loaded)
    return codes


def start_error(name: str, value: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, value)
        if name == "PRODUCTS_FILE":
            patch.delenv("PRODUCT_CODE")
        with pytest.raises(SettingsError) as raised:
            load()
    return str(raised.value)


def test_every_setting_is_among_the_examples(seller: pytest.MonkeyPatch) -> None:
    assert {*TEXTS, *EXACT} == {name.upper() for name in SETTINGS}
    assert load()


@pytest.mark.parametrize("name", [*TEXTS, *EXACT])
def test_quotes_around_any_value_are_refused_by_name(seller: pytest.MonkeyPatch, name: str) -> None:
    value = {**TEXTS, **EXACT}[name]
    for start, end in QUOTES:
        assert f"\n  {name}: it has quotes around it. Remove them" in start_error(name, f"{start}{value}{end}")
        assert f"\n  {name}: it has quotes around it. Remove them" in start_error(name, f"{start}{end}")


@pytest.mark.parametrize("name", [*TEXTS, *EXACT])
def test_control_characters_are_refused_in_any_value(seller: pytest.MonkeyPatch, name: str) -> None:
    value = {**TEXTS, **EXACT}[name]
    for character in CONTROLS:
        for spelling in (value + character, character + value, value[:3] + character + value[3:]):
            assert f"{name}: it has " in start_error(name, spelling)


@pytest.mark.parametrize("name", [name for name in EXACT if name not in LISTS])
def test_blanks_at_the_ends_of_an_exact_value_are_refused(seller: pytest.MonkeyPatch, name: str) -> None:
    for character in BLANKS:
        for spelling in (EXACT[name] + character, character + EXACT[name]):
            error = start_error(name, spelling)
            assert f"\n  {name}: " in error
            assert "at its end" in error or "at its beginning" in error


@pytest.mark.parametrize("name", EXACT)
def test_invisible_characters_are_refused_in_an_exact_value(seller: pytest.MonkeyPatch, name: str) -> None:
    for character in INVISIBLE:
        for spelling in (
            EXACT[name] + character,
            character + EXACT[name],
            EXACT[name][:9] + character + EXACT[name][9:],
        ):
            error = start_error(name, spelling)
            assert f"\n  {name}: " in error
            assert character not in error


@pytest.mark.parametrize("name", ["PRODUCT_CODE", "AWS_REGION", "MARKETPLACE_ROLE_ARN", "MARKETPLACE_ROLE_EXTERNAL_ID"])
def test_what_awss_names_never_have_is_refused(seller: pytest.MonkeyPatch, name: str) -> None:
    for character in (*"\"'` \u00e4\u0661", "\u201d"):
        value = EXACT[name]

        assert f"\n  {name}: it must " in start_error(name, value[:5] + character + value[5:])
        assert f"\n  {name}: it must " in start_error(name, value + character)


@pytest.mark.parametrize("name", [name for name in EXACT if "URL" in name or name == "RATELIMIT_STORAGE_URI"])
def test_host_with_a_quote_or_a_blank_is_refused(seller: pytest.MonkeyPatch, name: str) -> None:
    for host in ('"mail.example"', "'mail.example'", "mail .example", "mail.example\u200b"):
        value = re.sub(r"(?<=[@/])[a-z0-9.-]+\.(example|com)", host, EXACT[name], count=1)

        assert host in value
        assert f"\n  {name}: " in start_error(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PRODUCT_NAME", '"Acme" and "Sons"'),
        ("PRODUCT_NAME", "Smith's \U0001f469\u200d\U0001f4bb Tools "),
        ("MAIL_FROM", '"Acme, Inc." <start@acme.example>'),
        ("SUPPORT_EMAIL", "o'brien@acme.example"),
        ("TRUSTED_HOSTS", " start.acme.example , .acme.example,"),
        ("HANDOFF_SECRET", f"{SECRET} , {SECRET},"),
        ("MARKETPLACE_ROLE_ARN", "arn:aws:iam::123456789012:role/teams/a!b/foyer+1,2=3.4@5_6-7"),
        ("MARKETPLACE_ROLE_EXTERNAL_ID", "a:b/c@d.e,f=g+h_i-j"),
        ("PRODUCT_CODE", "a-Z0/=:_.@"),
        ("DATABASE_URL", "sqlite:////home/o'brien/my data/foyer.db"),
        ("SMTP_URL", "smtp://me:it's@[::1]:2525"),
        ("PRODUCT_SIGN_IN_URL", "https://b\u00fccher.example/it's?a=(b)"),
    ],
)
def test_unusual_values_that_are_right_are_accepted(seller: pytest.MonkeyPatch, name: str, value: str) -> None:
    seller.delenv("DATABASE_PASSWORD")  # SQLite has none
    seller.setenv(name, value)

    assert load()


@pytest.mark.parametrize("field", PRODUCT_FIELDS)
def test_values_in_the_products_file_are_checked_as_well(tmp_path: Path, field: str) -> None:
    values = {
        **factories.PRODUCT_FIELDS,
        "code": "abc",
        "handoff_url": "https://app.acme.example/foyer",
        "handoff_secret_setting": "ACME_SECRET",
        "notify_email": "sales@acme.example",
        "ready_within": "a day",
    }
    exact = [] if field in {"name", "ready_within"} else [" ", "\u00a0", "\u200b", "\u3164"]
    for spelling in (f'"{values[field]}"', *(f"{values[field]}{character}" for character in ["\r", "\x1b", *exact])):
        chosen = {**values, field: spelling}
        heading = f"[products.{json.dumps(chosen.pop('code'))}]"
        lines = [heading, *(f"{name} = {json.dumps(value)}" for name, value in chosen.items())]
        (tmp_path / "products.toml").write_text("\n".join(lines), encoding="utf-8")

        with pytest.raises(SettingsError, match=f"\\] {field}: it ") as raised:
            products.load(factories.settings(products_file=tmp_path / "products.toml", product_code=None))
        assert all(character == "\n" or character.isprintable() for character in str(raised.value))
