"""The port checks of `make run`: busy, free, and waiting for an answer."""

import threading

import pytest

from sandbox import ports as sandbox_ports
from sandbox.server import Sandbox
from tests.support.ports import free_port


def test_busy_port_is_refused_with_the_setting_to_change(sandbox: Sandbox) -> None:
    busy = sandbox.aws_url.rpartition(":")[2]

    with pytest.raises(SystemExit) as error:
        sandbox_ports.check_free({"APP_PORT": str(free_port()), "AWS_PORT": busy})

    assert f"Port {busy} is in use." in str(error.value)
    assert f"AWS_PORT={int(busy) + 1} make run" in str(error.value)


def test_free_port_is_accepted() -> None:
    ports = {"APP_PORT": str(free_port())}

    sandbox_ports.check_free(ports)


def test_loopback_addresses_include_ipv4() -> None:
    addresses = sandbox_ports.loopback_addresses()

    assert "127.0.0.1" in addresses


def test_wait_ends_when_every_url_answers(sandbox: Sandbox) -> None:
    urls = [sandbox.storefront_url, f"{sandbox.storefront_url}/faults"]

    answering = sandbox_ports.wait_until_answering(urls, threading.Event())

    assert answering


def test_wait_ends_when_it_is_cancelled() -> None:
    cancelled = threading.Event()
    cancelled.set()

    answering = sandbox_ports.wait_until_answering([f"http://127.0.0.1:{free_port()}"], cancelled)

    assert not answering
