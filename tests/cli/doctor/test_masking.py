"""foyer doctor: what it prints can be pasted into a ticket, because secrets in it are masked."""

from pathlib import Path

import pytest
from sqlalchemy import make_url

from app import create_app
from app.cli.doctor import masking
from tests.cli.doctor.doctor_output import findings, run_doctor
from tests.support import factories
from tests.support.databases import on_postgresql, on_sqlite

pytestmark = pytest.mark.usefixtures("app")
SECRET = "hunter2-secret"


@on_postgresql
def test_password_in_the_query_of_the_database_url_is_masked(
    environment: pytest.MonkeyPatch, database_url: str
) -> None:
    url = make_url(database_url).update_query_dict({"password": SECRET, "application_name": "foyer-doctor"})
    environment.setenv("DATABASE_URL", url.render_as_string(hide_password=False))

    verdict, finding = findings(run_doctor())["database"]

    assert verdict == "ok"
    assert SECRET not in finding
    assert "password=***" in finding
    assert "application_name=foyer-doctor" in finding


@on_sqlite
@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"https://app.acme.example/foyer?key={SECRET}", "https://app.acme.example/foyer?key=***"),
        (f"https://app.acme.example/foyer?a=1&sig={SECRET}", "https://app.acme.example/foyer?a=***&sig=***"),
        (f"https://app.acme.example/foyer?{SECRET}", "https://app.acme.example/foyer?***"),
        (f"https://app.acme.example/foyer#{SECRET}", "https://app.acme.example/foyer#***"),
        (f"https://10.0.0.7/foyer?key={SECRET}", "https://10.0.0.7/foyer?key=***"),
        ("https://app.acme.example/in/9f8e7d6c5b4a39281706f5e4", "https://app.acme.example/in/***"),
        (
            "https://app.acme.example/webhooks/aws-marketplace-2026",
            "https://app.acme.example/webhooks/aws-marketplace-2026",
        ),
    ],
)
@pytest.mark.parametrize("allows_private", ["true", "false"])
def test_key_in_a_handoff_url_is_masked(
    environment: pytest.MonkeyPatch, url: str, shown: str, allows_private: str
) -> None:
    factories.enable_handoffs(environment, url)
    environment.setenv("HANDOFF_ALLOW_PRIVATE", allows_private)

    result = run_doctor()

    assert shown in findings(result)["hand-offs"][1]
    assert SECRET not in result.stdout


@on_sqlite
@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql://me:pa/ss@db.example/foyer", "postgresql://me:***@db.example/foyer"),
        (
            "postgresql:///foyer?host=db&password=x&sslmode=require",
            "postgresql:///foyer?host=db&password=***&sslmode=require",
        ),
        ("postgresql://me:pa?s#s@db.example/foyer", "postgresql://me:***@db.example/foyer"),
        ("postgresql://me@db.example/foyer", "postgresql://me@db.example/foyer"),
        ("redis://:pass@redis.example:6379/0", "redis://:***@redis.example:6379/0"),
        ("smtps://me:pass@mail.example", "smtps://me:***@mail.example"),
        ("http://token@proxy.example:3128", "http://***@proxy.example:3128"),
        ("(https://a.example/?k=v), https://b.example/?k=v.", "(https://a.example/?k=***), https://b.example/?k=***."),
        ("sqlite:////srv/foyer.db is at revision 0012; SQLite", "sqlite:////srv/foyer.db is at revision 0012; SQLite"),
        ("arn:aws:sqs:us-east-1:123456789012:foyer-events", "arn:aws:sqs:us-east-1:123456789012:foyer-events"),
    ],
)
def test_secrets_in_any_url_are_masked(text: str, masked: str) -> None:
    with factories.open_app(create_app()) as app, app.app_context():
        assert masking.mask(text) == masked


@on_sqlite
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("DATABASE_PASSWORD", SECRET),
        ("DATABASE_PASSWORD", f"{SECRET},with-a-comma"),
        ("DATABASE_PASSWORD", f"{SECRET}://like-a-url"),
        ("HANDOFF_SECRET", f"another-one,{SECRET}"),
        ("DATABASE_URL", f"postgresql://me:{SECRET}@db.example/foyer"),
        ("SMTP_URL", f"smtps://me:{SECRET}@mail.example"),
    ],
)
def test_secret_from_a_file_is_masked_in_any_text(
    environment: pytest.MonkeyPatch, tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / "secret").write_text(f"{content}\n")
    with factories.open_app(create_app()) as app, app.app_context():
        environment.delenv(name, raising=False)
        environment.setenv(f"{name}_FILE", str(tmp_path / "secret"))

        masked = masking.mask(f"535 me with {content}: no")

    assert SECRET not in masked
    assert masked.startswith("535 me with ")
    assert masked.endswith(": no")


@on_sqlite
@pytest.mark.parametrize(
    "name",
    ["SECRET_KEY_FALLBACKS", "DATABASE_PASSWORD", "HANDOFF_SECRET", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
)
def test_secret_of_a_setting_is_masked_in_any_text(environment: pytest.MonkeyPatch, name: str) -> None:
    with factories.open_app(create_app()) as app, app.app_context():
        environment.setenv(name, f"another-one,{SECRET}")
        environment.setenv("SMTP_URL", "smtp://me:sw%40rdfish@mail.example")

        assert masking.mask(f"535 {SECRET}: no") == "535 ***: no"
        assert masking.mask("535 sw@rdfish or sw%40rdfish") == "535 *** or ***"
