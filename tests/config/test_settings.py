"""Settings: valid values, and errors that name the setting and say what to do."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.config import settings
from app.config.fields import Text, TextList
from app.config.settings import SETTINGS, SettingsError

ROOT = Path(__file__).parents[2]


def test_lists_are_split_at_commas(seller: pytest.MonkeyPatch) -> None:
    seller.setenv("TRUSTED_HOSTS", "buy.acme.example, .acme.example,")
    seller.setenv("SECRET_KEY_FALLBACKS", "an-earlier-secret-key-1,an-earlier-secret-key-2")

    loaded = settings.load()

    assert loaded.trusted_hosts == ("buy.acme.example", ".acme.example")
    assert loaded.secret_key_fallbacks == ("an-earlier-secret-key-1", "an-earlier-secret-key-2")


def test_names_in_lower_case_count_and_empty_values_do_not(seller: pytest.MonkeyPatch) -> None:
    seller.delenv("SUPPORT_EMAIL")
    seller.setenv("support_email", "help@acme.example")
    seller.setenv("LOG_LEVEL", "")

    loaded = settings.load()

    assert loaded.support_email == "help@acme.example"
    assert loaded.log_level == "INFO"


def test_default_database_is_sqlite_in_the_instance_folder(seller: pytest.MonkeyPatch) -> None:
    seller.delenv("DATABASE_URL")

    url = settings.load().sqlalchemy_url

    assert url.drivername == "sqlite"
    assert Path(str(url.database)) == ROOT / "instance" / "foyer.db"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgresql_urls_use_the_shipped_driver(seller: pytest.MonkeyPatch, scheme: str) -> None:
    seller.setenv("DATABASE_URL", f"{scheme}://me:p%40ss@db.example/foyer")

    url = settings.load().sqlalchemy_url

    assert url.render_as_string(hide_password=False) == "postgresql+psycopg://me:p%40ss@db.example/foyer"


def test_session_cookie_is_secure_by_default(seller: pytest.MonkeyPatch) -> None:
    seller.delenv("SESSION_COOKIE_SECURE")

    assert settings.load().session_cookie_secure is True


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY_FALLBACKS", "short"),
        ("DATABASE_URL", "mysql://localhost/foyer"),
        ("DATABASE_URL", "not a url"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "sqlite+pysqlite:///:memory:"),
        ("DATABASE_URL", "sqlite://?cache=shared"),
        ("DATABASE_URL", "sqlite:///file::memory:?uri=true"),
        ("DATABASE_URL", "sqlite:///file:foyer?mode=memory&cache=shared&uri=true"),
        ("AWS_REGION", "Frankfurt"),
        ("MARKETPLACE_ROLE_ARN", "publisher"),
        ("SESSION_COOKIE_SECURE", "perhaps"),
        ("TRUSTED_HOSTS", "https://buy.acme.example"),
        ("TRUSTED_HOSTS", "buy.acme.example/start"),
        ("TRUSTED_PROXIES", "-1"),
        ("TRUSTED_PROXIES", "some"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_invalid_value_is_reported_with_the_settings_name(seller: pytest.MonkeyPatch, name: str, value: str) -> None:
    seller.setenv(name, value)

    with pytest.raises(SettingsError) as raised:
        settings.load()

    assert f"  {name}: " in str(raised.value)
    assert SETTINGS[name.lower()].description in str(raised.value)
    assert not value or value == "-1" or f"'{value}'" not in str(raised.value)


def text_of(name: str) -> Text | None:
    """Return what each text of the setting has to be; None where it is no text."""
    kind = SETTINGS[name].kind
    text = kind.item if isinstance(kind, TextList) else kind
    return text if isinstance(text, Text) else None


@pytest.mark.parametrize("name", [name for name in SETTINGS if (text := text_of(name)) and text.pattern])
def test_invalid_value_is_reported_with_a_valid_example(seller: pytest.MonkeyPatch, name: str) -> None:
    seller.setenv(name.upper(), "what is this?")

    with pytest.raises(SettingsError) as raised:
        settings.load()

    text = text_of(name)
    assert text
    assert f"  {name.upper()}: it must look like {text.example}. " in str(raised.value)
    seller.setenv(name.upper(), text.example)
    assert settings.load()


def test_failed_start_prints_the_reason_without_a_traceback(seller: pytest.MonkeyPatch) -> None:
    seller.delenv("SECRET_KEY")

    started = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert started.returncode == 1
    assert "SECRET_KEY: it is not set." in started.stderr
    assert "Traceback" not in started.stderr
