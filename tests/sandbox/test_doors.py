"""The ports on this machine: busy, free, or answering."""

import threading

import pytest

from sandbox import ports as sandbox_ports
from sandbox.server import Sandbox
from tests.support.ports import free_port


def test_a_busy_port_is_refused_with_the_setting_that_changes_it(sandbox: Sandbox) -> None:
    busy = sandbox.aws_url.rpartition(":")[2]

    with pytest.raises(SystemExit) as refused:
        sandbox_ports.check_free({"APP_PORT": str(free_port()), "AWS_PORT": busy})

    assert f"Port {busy} is in use." in str(refused.value)
    assert f"AWS_PORT={int(busy) + 1} make run" in str(refused.value)


def test_free_ports_are_not_refused() -> None:
    ports = {"APP_PORT": str(free_port())}

    sandbox_ports.check_free(ports)


def test_this_machine_has_a_loopback_address() -> None:
    addresses = sandbox_ports.loopback_addresses()

    assert "127.0.0.1" in addresses


def test_the_wait_ends_when_every_door_answers(sandbox: Sandbox) -> None:
    urls = [sandbox.storefront_url, f"{sandbox.storefront_url}/faults"]

    opened = sandbox_ports.wait_until_answering(urls, threading.Event())

    assert opened


def test_the_wait_ends_when_it_is_given_up() -> None:
    given_up = threading.Event()
    given_up.set()

    opened = sandbox_ports.wait_until_answering([f"http://127.0.0.1:{free_port()}"], given_up)

    assert not opened
