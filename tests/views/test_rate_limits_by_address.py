"""Which landings count together: by address, by IPv6 network, behind proxies, and on several machines."""

from urllib.parse import urlsplit

import pytest
from flask import Flask

from app import create_app
from app.views.rate_limits import PENDING_TOKENS_WIDE, REFUSALS_WIDE, client_networks
from sandbox.server import Sandbox
from tests.security.test_rate_counters import redis_url
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.redis_server import RedisServer
from tests.support.scripted_aws import ScriptedAws
from tests.support.token_floods import (
    OFFICE_ADDRESS,
    OTHER_ADDRESS,
    add_to_count,
    post_invalid_tokens,
    post_token,
    refusing_aws,
)

__all__ = ["redis_url", "refusing_aws"]

pytestmark = on_sqlite


def test_clients_behind_proxy_are_counted_alone(
    environment: pytest.MonkeyPatch, refusing_aws: tuple[Flask, ScriptedAws]
) -> None:
    environment.setenv("TRUSTED_PROXIES", "1")
    with factories.open_app(create_app()) as app:
        forged = [
            post_token(app, f"made up {i}", "10.0.0.1", f"192.0.2.{i}, {OFFICE_ADDRESS}").status_code for i in range(31)
        ]
        other = post_token(app, "made up", "10.0.0.1", OTHER_ADDRESS)

    assert forged == [400] * 30 + [429]
    assert other.status_code == 400


def test_forged_header_is_ignored_without_proxy(refusing_aws: tuple[Flask, ScriptedAws]) -> None:
    app, _ = refusing_aws

    statuses = [
        post_token(app, f"made up {number}", OFFICE_ADDRESS, f"192.0.2.{number}").status_code for number in range(31)
    ]

    assert statuses == [400] * 30 + [429]


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("203.0.113.9", ("203.0.113.9", None)),
        ("203.0.113.9:50123", ("203.0.113.9", None)),
        ("::ffff:203.0.113.9", ("203.0.113.9", None)),
        ("[::ffff:203.0.113.9]:50123", ("203.0.113.9", None)),
        ("2001:db8:1:2:3:4:5:6", ("20010db800010002/64", "20010db80001/48")),
        ("2001:DB8:1:2::1", ("20010db800010002/64", "20010db80001/48")),
        ("[2001:db8:1:2::1]:50123", ("20010db800010002/64", "20010db80001/48")),
        ("2001:db8:1:2::1%eth0", ("20010db800010002/64", "20010db80001/48")),
        ("not:an:address", ("not:an:address", None)),
        ("", ("", None)),
    ],
)
def test_client_address_notations_are_normalised(
    database_url: str, address: str, counted_as: tuple[str, str | None]
) -> None:
    assert client_networks(address) == counted_as


def test_ipv6_network_counts_as_one_client(refusing_aws: tuple[Flask, ScriptedAws]) -> None:
    app, _ = refusing_aws

    statuses = [post_token(app, f"made up {number}", f"2001:db8:1:2::{number:x}").status_code for number in range(31)]

    assert statuses == [400] * 30 + [429]


def test_wide_ipv6_network_is_limited(refusing_aws: tuple[Flask, ScriptedAws]) -> None:
    app, aws = refusing_aws

    for number in range(150):
        post_token(app, f"made up {number}", f"2001:db8:1:{number:x}::1")

    assert aws.request_count == REFUSALS_WIDE.max_count
    assert post_token(app, "made up", "2001:db8:2::1").status_code == 400


def test_wide_ipv6_network_cannot_use_all_pending_token_space(app: Flask, sandbox: Sandbox) -> None:
    sandbox.marketplace.change_faults(aws_down=True)
    add_to_count(app, "parked-nearby/20010db80001/48", 3600, PENDING_TOKENS_WIDE.max_count - 1)

    within_limit = post_token(app, factories.token(sandbox), "2001:db8:1:1::1")
    over_limit = post_token(app, factories.token(sandbox), "2001:db8:1:2::1")
    other_network = post_token(app, factories.token(sandbox), "2001:db8:2::1")

    assert within_limit.location == other_network.location == "/signup"
    assert over_limit.status_code == 503


def test_redis_shares_counts_and_cache_between_machines(
    environment: pytest.MonkeyPatch, refusing_aws: tuple[Flask, ScriptedAws], redis_url: str
) -> None:
    _, aws = refusing_aws
    environment.setenv("RATELIMIT_STORAGE_URI", redis_url)
    with factories.open_app(create_app()) as first, factories.open_app(create_app()) as second:
        assert [post_token(machine, "made up").status_code for machine in (first, second)] == [400] * 2
        assert aws.request_count == 1

        post_invalid_tokens(first, 29)
        assert post_token(second, "another").status_code == 429
        assert post_token(second, "made up").status_code == 400
        assert post_token(second, "another", OTHER_ADDRESS).status_code == 400
    assert aws.request_count == 31


def test_redis_outage_blocks_no_buyer(
    environment: pytest.MonkeyPatch, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    with RedisServer() as url:
        environment.setenv("RATELIMIT_STORAGE_URI", url)
    with factories.open_app(create_app()) as app:
        with RedisServer(urlsplit(url).port or 0):
            assert post_token(app, factories.token(sandbox)).location == "/signup"

        assert [post_token(app, factories.token(sandbox)).location for _ in range(5)] == ["/signup"] * 5
        assert post_invalid_tokens(app, 31) == [400] * 30 + [429]
    assert capsys.readouterr().err.count('"event": "redis.unavailable"') == 1
