"""The settings that `make run` adds to what is chosen already."""

import stat
from pathlib import Path

import pytest

from app.sandbox import catalogue, environment


def test_nothing_has_to_be_set(tmp_path: Path) -> None:
    settings = environment.complete({}, tmp_path)

    assert {name: settings[name] for name in environment.PORTS} == environment.PORTS
    assert settings["AWS_ENDPOINT_URL"] == "http://127.0.0.1:8002"
    assert settings["PRODUCTS_FILE"] == str(catalogue.PRODUCTS_FILE)
    assert settings["SESSION_COOKIE_SECURE"] == "false"
    assert settings["LOG_FORMAT"] == "console"


def test_what_is_set_stays(tmp_path: Path) -> None:
    chosen = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_PROFILE": "staging",
        "LOG_FORMAT": "json",
        "PATH": "/bin",
        "SECRET_KEY": "chosen by the seller",
    }

    settings = environment.complete(chosen, tmp_path)

    assert chosen.items() <= settings.items()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_setting_counts_as_not_set(tmp_path: Path) -> None:
    settings = environment.complete({"APP_PORT": "", "LOG_FORMAT": ""}, tmp_path)

    assert (settings["APP_PORT"], settings["LOG_FORMAT"]) == ("8000", "console")


def test_the_ports_move_together_with_the_endpoint(tmp_path: Path) -> None:
    settings = environment.complete({"AWS_PORT": "9002"}, tmp_path)

    assert settings["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9002"


def test_a_profile_from_daily_work_is_not_asked_for_credentials(tmp_path: Path) -> None:
    settings = environment.complete({"AWS_PROFILE": "work"}, tmp_path)

    assert "AWS_PROFILE" not in settings


def test_a_seller_of_one_product_gets_no_products_file(tmp_path: Path) -> None:
    settings = environment.complete({"PRODUCT_CODE": "mine"}, tmp_path)

    assert "PRODUCTS_FILE" not in settings


def test_the_secret_key_is_made_once_and_is_nobody_elses_to_read(tmp_path: Path) -> None:
    first = environment.complete({}, tmp_path / "instance")["SECRET_KEY"]

    again = environment.complete({}, tmp_path / "instance")["SECRET_KEY"]

    assert again == first
    assert len(first) == 64
    assert stat.S_IMODE((tmp_path / "instance" / "secret-key").stat().st_mode) == 0o600


@pytest.mark.parametrize("port", ["eight", "0", "65536", "-1"])
def test_an_odd_port_is_named(tmp_path: Path, port: str) -> None:
    with pytest.raises(SystemExit, match=f"APP_PORT: {port} is not a port"):
        environment.complete({"APP_PORT": port}, tmp_path)
