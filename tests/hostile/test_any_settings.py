"""Random settings and products.toml files (hypothesis): the application starts, or says why it does not."""

import json
import os
from contextlib import suppress
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import example, given
from hypothesis import strategies as st

from app.config import products, settings
from app.config.products import PRODUCT_FIELDS
from app.config.settings import SETTINGS, SettingsError
from app.security import headers
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.factories import PRODUCT_CODE

NAMES = [name.upper() for name in SETTINGS]
# An environment variable has any bytes except null; bytes that are not UTF-8 become lone surrogates.
ANY_VALUE = st.binary().map(lambda value: os.fsdecode(value.replace(b"\x00", b"")))
LIKELY_VALUES = st.sampled_from(
    [
        *["", " ", ",", "{", "*", ".", "0", "1", "-1", "1e3", "9" * 5000, "true", "nan", "\u0661", "json", "a" * 20],
        *["sqlite:///x", "sqlite:////", "sqlite:///x?y=z", "sqlite+pysqlite:///x", "redis://x", "memory://"],
        *["postgresql://", "postgresql://[", "postgresql://h:port/x", "postgresql://h:99999/x", "postgresql+no://h/x"],
        *["https://a.example", "[::1]", "xn--a", "\u00fc.example", "a..b", "postgresql://u:p%zz@h/x?a=b&a=c"],
    ]
)
ENVIRONMENTS = st.dictionaries(st.sampled_from(NAMES), st.one_of(LIKELY_VALUES, ANY_VALUE), max_size=5)
SCALARS = st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.just([]), st.just([1]))
FIELDS = st.one_of(st.sampled_from([*PRODUCT_FIELDS, ""]), st.text())
TABLES = st.dictionaries(st.one_of(st.just(PRODUCT_CODE), st.text()), st.dictionaries(FIELDS, SCALARS), max_size=3)


def products_toml(tables: dict[str, dict[str, object]]) -> str:
    lines = []
    for code, table in tables.items():
        lines.append(f"[products.{json.dumps(code, ensure_ascii=False)}]")
        for name, value in table.items():
            lines.append(f"{json.dumps(name, ensure_ascii=False)} = {json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines)


def startup_error() -> str | None:
    """Start the application in this environment; return the error message, or None."""
    try:
        loaded = settings.load()
        loaded.sqlalchemy_url.render_as_string()
        app = Flask(__name__)
        headers.init_app(app, loaded)
        products.init_app(app, loaded)
    except SettingsError as error:
        return str(error)
    app.test_client().get("/")
    return None


@given(values=ENVIRONMENTS)
def test_any_environment_starts_or_the_error_has_a_reason(values: dict[str, str]) -> None:
    with pytest.MonkeyPatch.context() as environment:
        factories.clear_environment(environment)
        for name, value in {**factories.environment("sqlite:///foyer.db", ""), **values}.items():
            environment.setenv(name, value)
        message = startup_error()

    assert message is None or (len(message.splitlines()) > 1 and message.encode())


@given(text=st.one_of(st.text().map(str.encode), st.binary(), TABLES.map(products_toml).map(str.encode)))
@example(text=b"a = " + b"[" * 10_000)
@example(text=b"a = " + b"9" * 10_000)
@example(text=b"a = 2026-02-31")
@example(text=b"a" + b".a" * 1_000 + b" = 1")
@example(text=b"[products]\n'' = {'' = 1}")
@example(text=b"[products.'']\nname = ''")
@example(text=b"[products.a]\nname = 0x" + b"f" * 10_000)
def test_any_products_file_is_loaded_or_raises_settings_error(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "products.toml"
    file.write_bytes(text)

    with suppress(SettingsError):
        assert products.load(factories.settings(products_file=file, product_code=None))


@on_sqlite
@given(
    name=st.text(min_size=1),
    sign_in_url=st.text().map("https://a.example/{}".format),
    support_email=st.text(min_size=1).map("{}@acme.example".format),
)
def test_any_accepted_product_can_be_shown(
    client: FlaskClient, name: str, sign_in_url: str, support_email: str
) -> None:
    values = {"product_name": name, "product_sign_in_url": sign_in_url, "support_email": support_email}
    try:
        loaded_products = products.load(factories.settings(**values))
    except SettingsError:
        return
    client.application.extensions["products"] = loaded_products

    page = client.get("/")
    security_txt = client.get("/.well-known/security.txt")

    assert page.status_code == 200
    assert security_txt.text.splitlines()[0].startswith("Contact: mailto:")
    assert len(security_txt.text.splitlines()) == 3
    assert security_txt.text.isascii()
