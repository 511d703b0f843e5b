"""`make run` refuses ports that it cannot use, with a command that works."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox import environment, port_checks, ports
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
DEFAULTS = environment.DEFAULT_PORTS
FIRST_UNPRIVILEGED_PORT = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


@contextmanager
def listen(host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port or free_port()), family=family) as listener:
        yield listener.getsockname()[1]


def choose(**changed: object) -> dict[str, str]:
    """Return four free ports, with these changes."""
    return {name: str(changed.get(name, free_port())) for name in DEFAULTS}


def refusal(chosen: dict[str, str]) -> str:
    with pytest.raises(SystemExit) as refused:
        port_checks.check(chosen)
    return str(refused.value)


def paste(message: str) -> dict[str, str]:
    """Return the ports of the command in the message, as `make run` would take them."""
    [command] = [line.strip() for line in message.splitlines() if line.endswith(" make run")]
    *settings, make, run = command.split()
    assert (make, run) == ("make", "run")
    return {**DEFAULTS, **dict(setting.split("=") for setting in settings)}


def changes(chosen: dict[str, str], message: str) -> list[str]:
    """Return the settings that the message changes, after a check that the command in it is accepted."""
    suggested = paste(message)
    port_checks.check(suggested)
    return [name for name in DEFAULTS if suggested[name] != chosen[name]]


@pytest.mark.parametrize("name", DEFAULTS)
def test_busy_port_gets_one_that_no_other_setting_has(name: str) -> None:
    with listen() as busy:
        others = iter(range(busy + 1, busy + 4))
        chosen = {other: str(busy if other == name else next(others)) for other in DEFAULTS}
        message = refusal(chosen)

        assert f"Port {busy} is in use." in message
        assert changes(chosen, message) == [name]


@pytest.mark.parametrize("host", ports.LOOPBACK_ADDRESSES)
def test_port_that_is_busy_on_one_address_is_refused(host: str) -> None:
    if host not in ports.loopback_addresses():
        pytest.skip(f"this machine has no {host}")
    with listen(host) as busy:
        chosen = choose(APP_PORT=busy)

        assert changes(chosen, refusal(chosen)) == ["APP_PORT"]


def test_second_run_names_the_address_of_the_first() -> None:
    with listen() as app, listen() as storefront, listen() as aws, listen() as example:
        chosen = choose(APP_PORT=app, STOREFRONT_PORT=storefront, AWS_PORT=aws, EXAMPLE_PORT=example)
        message = refusal(chosen)

        assert f"Ports {app}, {storefront}, {aws} and {example} are in use." in message
        assert f"Foyer is running already: open http://127.0.0.1:{storefront}" in message
        assert changes(chosen, message) == list(DEFAULTS)


def test_equal_ports_are_named_and_the_chosen_one_is_kept() -> None:
    port = free_port()
    chosen = choose(APP_PORT=port, AWS_PORT=port)
    message = refusal(chosen)

    assert f"APP_PORT and AWS_PORT are both {port}. Each needs a port of its own." in message
    assert changes(chosen, message) == ["AWS_PORT"]


def test_default_gives_way_to_an_equal_port_that_was_chosen() -> None:
    default = DEFAULTS["APP_PORT"]
    chosen = choose(APP_PORT=default, EXAMPLE_PORT=default)
    message = refusal(chosen)

    assert f"APP_PORT and EXAMPLE_PORT are both {default}." in message
    assert paste(message)["APP_PORT"] != default


def test_four_equal_ports_get_three_new_ones() -> None:
    port = free_port()
    chosen = dict.fromkeys(DEFAULTS, str(port))
    message = refusal(chosen)

    assert f"APP_PORT, STOREFRONT_PORT, AWS_PORT and EXAMPLE_PORT are all {port}." in message
    assert changes(chosen, message) == ["STOREFRONT_PORT", "AWS_PORT", "EXAMPLE_PORT"]


def test_equal_ports_that_are_also_busy_all_change() -> None:
    with listen() as busy:
        chosen = choose(APP_PORT=busy, STOREFRONT_PORT=busy)
        message = refusal(chosen)

        assert f"are both {busy}" in message
        assert f"Port {busy} is in use." in message
        assert changes(chosen, message) == ["APP_PORT", "STOREFRONT_PORT"]


@pytest.mark.parametrize("value", ["http", "0", "70000", "-1", "80.5", "８０００", "1" * 5000])
def test_value_that_is_no_port_is_named_and_replaced(value: str) -> None:
    chosen = choose(STOREFRONT_PORT=value)
    message = refusal(chosen)

    assert f"STOREFRONT_PORT: {value} is not a port. Set it to a number between 1 and 65535." in message
    assert changes(chosen, message) == ["STOREFRONT_PORT"]


def test_all_faults_are_named_at_once_with_one_command() -> None:
    with listen() as busy:
        chosen = choose(APP_PORT=busy, AWS_PORT="none")
        chosen["EXAMPLE_PORT"] = chosen["STOREFRONT_PORT"]
        message = refusal(chosen)

        assert "AWS_PORT: none is not a port." in message
        assert "STOREFRONT_PORT and EXAMPLE_PORT are both" in message
        assert f"Port {busy} is in use." in message
        assert changes(chosen, message) == ["APP_PORT", "AWS_PORT", "EXAMPLE_PORT"]


def test_port_that_browsers_block_is_refused_and_never_suggested() -> None:
    chosen = choose(APP_PORT=6665)
    message = refusal(chosen)

    assert "APP_PORT: browsers open no page on port 6665" in message
    assert not {int(port) for port in paste(message).values()} & port_checks.BLOCKED_BY_BROWSERS


def test_suggestion_after_the_last_port_begins_again() -> None:
    with listen(port=65535):
        chosen = choose(APP_PORT=65535)

        assert changes(chosen, refusal(chosen)) == ["APP_PORT"]


def test_port_for_root_alone_is_refused_with_the_reason() -> None:
    if not FIRST_UNPRIVILEGED_PORT.exists() or int(FIRST_UNPRIVILEGED_PORT.read_text()) <= 80:
        pytest.skip("every user of this machine may listen on port 80")
    script = f"from sandbox import port_checks; port_checks.check({choose(APP_PORT=80)})"
    command = [sys.executable, "-c", script]
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root may listen on port 80, and there is no setpriv")
        command = ["setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service", *command]

    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert result.returncode == 1
    assert "APP_PORT: only root may listen on port 80. Choose one from 1024 on." in result.stderr
    assert int(paste(result.stderr)["APP_PORT"]) >= 1024


def test_free_ports_are_accepted() -> None:
    port_checks.check(choose())
