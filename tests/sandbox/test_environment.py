"""The settings that `make run` adds to the environment, and the ones it removes."""

import base64
import stat
import tomllib
from pathlib import Path

import pytest

from sandbox import catalogue, environment


def test_defaults_fill_an_empty_environment(tmp_path: Path) -> None:
    settings = environment.add_defaults({}, tmp_path)

    assert {name: settings[name] for name in environment.DEFAULT_PORTS} == environment.DEFAULT_PORTS
    assert settings["AWS_ENDPOINT_URL"] == "http://127.0.0.1:8002"
    assert settings["EVENTS_QUEUE_URL"] == "http://127.0.0.1:8002/123456789012/foyer-events"
    assert settings["PRODUCTS_FILE"] == str(tmp_path / "products.toml")
    assert settings["SITE_URL"] == "http://localhost:8000"
    assert settings["HANDOFF_ALLOW_PRIVATE"] == "true"
    assert settings["MAIL_FROM"] == "Acme Marketplace <start@acme.example>"
    assert settings["SESSION_COOKIE_SECURE"] == "false"
    assert settings["LOG_FORMAT"] == "console"
    assert settings["LOG_LEVEL"] == "WARNING"


def test_chosen_settings_are_kept(tmp_path: Path) -> None:
    chosen = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_PROFILE": "staging",
        "AWS_REGION": "eu-central-1",
        "EVENTS_QUEUE_URL": "http://127.0.0.1:4566/000000000000/events",
        "HANDOFF_ALLOW_PRIVATE": "false",
        "HANDOFF_SECRET": "whsec_chosen",
        "LOG_FORMAT": "json",
        "LOG_LEVEL": "INFO",
        "MAIL_FROM": "me@acme.example",
        "PATH": "/bin",
        "PRODUCTS_FILE": "mine.toml",
        "SECRET_KEY": "chosen by the seller",
        "SITE_URL": "http://foyer.local",
    }

    settings = environment.add_defaults(chosen, tmp_path)

    assert chosen.items() <= settings.items()
    assert list(tmp_path.iterdir()) == []


def test_empty_setting_counts_as_unset(tmp_path: Path) -> None:
    settings = environment.add_defaults({"APP_PORT": "", "LOG_FORMAT": ""}, tmp_path)

    assert (settings["APP_PORT"], settings["LOG_FORMAT"]) == ("8000", "console")


def test_aws_port_changes_the_endpoint_and_the_queue_url(tmp_path: Path) -> None:
    settings = environment.add_defaults({"AWS_PORT": "9002"}, tmp_path)

    assert settings["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9002"
    assert settings["EVENTS_QUEUE_URL"] == "http://127.0.0.1:9002/123456789012/foyer-events"


def test_ports_change_the_site_url_and_the_products_file(tmp_path: Path) -> None:
    settings = environment.add_defaults({"APP_PORT": "9000", "EXAMPLE_PORT": "9003"}, tmp_path)

    products = tomllib.loads(Path(settings["PRODUCTS_FILE"]).read_text(encoding="utf-8"))["products"]
    assert settings["SITE_URL"] == "http://localhost:9000"
    assert {product["handoff_url"] for product in products.values()} == {"http://127.0.0.1:9003/foyer"}
    assert {product["sign_in_url"] for product in products.values()} == {"http://127.0.0.1:9003/login"}
    assert list(products) == [product.code for product in catalogue.load_products()]


def test_other_commands_find_the_ports_of_the_run_until_it_ends(tmp_path: Path) -> None:
    running = environment.add_defaults({"APP_PORT": "9000", "AWS_PORT": "9002"}, tmp_path)

    with environment.publish_ports(running, tmp_path):
        during = environment.add_defaults({}, tmp_path)
        chosen = environment.add_defaults({"APP_PORT": "7000"}, tmp_path)
    after = environment.add_defaults({}, tmp_path)

    assert [during[name] for name in environment.DEFAULT_PORTS] == ["9000", "8001", "9002", "8003"]
    assert during["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9002"
    assert (chosen["APP_PORT"], chosen["AWS_PORT"]) == ("7000", "9002")
    assert {name: after[name] for name in environment.DEFAULT_PORTS} == environment.DEFAULT_PORTS


def test_products_file_has_the_default_url_of_the_example_product() -> None:
    url = f"http://127.0.0.1:{environment.DEFAULT_PORTS['EXAMPLE_PORT']}"

    assert url == catalogue.EXAMPLE_URL
    assert {product.handoff_url for product in catalogue.load_products()} == {f"{url}/foyer"}


def test_sandbox_overrides_the_queue_and_the_region(tmp_path: Path) -> None:
    chosen = {"EVENTS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/210987654321/events", "AWS_REGION": "eu-west-1"}

    settings = environment.add_defaults(chosen, tmp_path)

    assert settings["EVENTS_QUEUE_URL"] == "http://127.0.0.1:8002/123456789012/foyer-events"
    assert settings["AWS_REGION"] == "us-east-1"


def test_other_aws_endpoint_gets_no_queue_url(tmp_path: Path) -> None:
    settings = environment.add_defaults({"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, tmp_path)

    assert "EVENTS_QUEUE_URL" not in settings


def test_aws_profile_is_removed(tmp_path: Path) -> None:
    settings = environment.add_defaults({"AWS_PROFILE": "work"}, tmp_path)

    assert "AWS_PROFILE" not in settings


@pytest.mark.parametrize(
    "name", ["AWS_DEFAULT_PROFILE", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_MARKETPLACE_METERING"]
)
def test_service_endpoints_are_removed(tmp_path: Path, name: str) -> None:
    chosen = {name: "https://sts.amazonaws.com", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}

    settings = environment.add_defaults(chosen, tmp_path)

    assert name not in settings
    assert settings["AWS_ENDPOINT_URL"] == "http://127.0.0.1:8002"
    assert settings["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] == "false"


@pytest.mark.parametrize(
    "name",
    [
        "DATABASE_URL",
        "DATABASE_URL_FILE",
        "DATABASE_PASSWORD",
        "DATABASE_PASSWORD_FILE",
        "DATABASE_IAM_AUTH",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_STS",
        "EVENTS_QUEUE_URL",
        "HANDOFF_SECRET",
        "LEDGER_HANDOFF_SECRET",
        "PRODUCT_HANDOFF_URL",
        "SITE_URL",
        "SMTP_URL",
    ],
)
def test_production_settings_in_dotenv_are_ignored(name: str) -> None:
    production = {name: "postgresql://production"}

    from_file = environment.user_settings({}, production)
    from_command = environment.user_settings(production, {name: "of the file"})

    assert name not in from_file
    assert from_command[name] == "postgresql://production"


def test_dotenv_fills_what_the_environment_lacks() -> None:
    chosen = environment.user_settings({"APP_PORT": "9000"}, {"APP_PORT": "7000", "LOG_FORMAT": "json", "BARE": None})

    assert chosen["APP_PORT"] == "9000"
    assert chosen["LOG_FORMAT"] == "json"
    assert "BARE" not in chosen


def test_processes_do_not_read_dotenv_again(tmp_path: Path) -> None:
    settings = environment.add_defaults({}, tmp_path)

    assert settings["FLASK_SKIP_DOTENV"] == "1"


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"no_proxy": "acme.example"}, "acme.example,127.0.0.1,localhost"),
        ({"NO_PROXY": "acme.example, localhost"}, "acme.example,localhost,127.0.0.1"),
        ({"no_proxy": "*"}, "*"),
    ],
    ids=["none", "another host", "one of them", "all"],
)
def test_local_hosts_bypass_the_proxy(tmp_path: Path, chosen: dict[str, str], expected: str) -> None:
    settings = environment.add_defaults({"http_proxy": "http://proxy.example", **chosen}, tmp_path)

    assert (settings["no_proxy"], settings["NO_PROXY"]) == (expected, expected)
    assert settings["http_proxy"] == "http://proxy.example"


def test_single_product_gets_a_handoff_url_and_no_products_file(tmp_path: Path) -> None:
    settings = environment.add_defaults({"PRODUCT_CODE": "mine", "EXAMPLE_PORT": "9003"}, tmp_path)

    assert "PRODUCTS_FILE" not in settings
    assert settings["PRODUCT_HANDOFF_URL"] == "http://127.0.0.1:9003/foyer"


@pytest.mark.parametrize(("name", "file"), [("SECRET_KEY", "secret-key"), ("HANDOFF_SECRET", "handoff-secret")])
def test_secret_is_created_once_and_readable_only_by_its_owner(tmp_path: Path, name: str, file: str) -> None:
    first = environment.add_defaults({}, tmp_path / "instance")[name]

    second = environment.add_defaults({}, tmp_path / "instance")[name]

    assert second == first
    assert stat.S_IMODE((tmp_path / "instance" / file).stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["SECRET_KEY", "HANDOFF_SECRET"])
def test_secret_in_a_file_of_the_seller_gets_no_default(tmp_path: Path, name: str) -> None:
    settings = environment.add_defaults({f"{name}_FILE": "/run/secrets/it"}, tmp_path)

    assert settings[f"{name}_FILE"] == "/run/secrets/it"
    assert name not in settings


def test_secrets_have_the_required_format(tmp_path: Path) -> None:
    settings = environment.add_defaults({}, tmp_path)

    assert len(settings["SECRET_KEY"]) == 64
    prefix, _, secret = settings["HANDOFF_SECRET"].partition("_")
    assert prefix == "whsec"
    assert len(base64.b64decode(secret, validate=True)) == 32


@pytest.mark.parametrize("port", ["eight", "0", "65536", "-1"])
def test_invalid_port_is_named(tmp_path: Path, port: str) -> None:
    with pytest.raises(SystemExit, match=f"APP_PORT: {port} is not a port"):
        environment.add_defaults({"APP_PORT": port}, tmp_path)
