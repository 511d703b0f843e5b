"""The ports of this machine: its loopback addresses, and waiting for an answer."""

import threading

from sandbox import ports as sandbox_ports
from sandbox.server import Sandbox
from tests.support.ports import free_port


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
