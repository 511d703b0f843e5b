"""Whose landings count together: one address, one IPv6 network, behind proxies, and on several machines."""

from urllib.parse import urlsplit

import pytest
from flask import Flask

from app import create_app
from app.security import rate_counters
from app.views.rate_limits import PARKED_NEARBY, REFUSALS_NEARBY, networks
from sandbox.server import Sandbox
from tests import factories
from tests.aws.fake import Fake
from tests.databases import on_sqlite
from tests.redis import serving
from tests.test_counters import redis_url
from tests.views.floods import ELSEWHERE, OFFICE, flood, land, refusing

__all__ = ["redis_url", "refusing"]

pytestmark = on_sqlite


def test_behind_a_load_balancer_each_client_counts_alone(
    environment: pytest.MonkeyPatch, refusing: tuple[Flask, Fake]
) -> None:
    environment.setenv("TRUSTED_PROXIES", "1")
    with factories.running(create_app()) as app:
        forged = [land(app, f"made up {i}", "10.0.0.1", f"192.0.2.{i}, {OFFICE}").status_code for i in range(31)]
        other = land(app, "made up", "10.0.0.1", ELSEWHERE)

    assert forged == [400] * 30 + [429]
    assert other.status_code == 400


def test_without_a_load_balancer_a_forged_header_changes_nothing(refusing: tuple[Flask, Fake]) -> None:
    app, _ = refusing

    statuses = [land(app, f"made up {number}", OFFICE, f"192.0.2.{number}").status_code for number in range(31)]

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
def test_an_address_is_known_however_it_is_written(
    database_url: str, address: str, counted_as: tuple[str, str | None]
) -> None:
    assert networks(address) == counted_as


def test_the_addresses_of_one_ipv6_network_count_as_one(refusing: tuple[Flask, Fake]) -> None:
    app, _ = refusing

    statuses = [land(app, f"made up {number}", f"2001:db8:1:2::{number:x}").status_code for number in range(31)]

    assert statuses == [400] * 30 + [429]


def test_many_ipv6_networks_of_one_owner_end_at_a_limit_too(refusing: tuple[Flask, Fake]) -> None:
    app, aws = refusing

    for number in range(150):
        land(app, f"made up {number}", f"2001:db8:1:{number:x}::1")

    assert aws.asked == REFUSALS_NEARBY.at_most
    assert land(app, "made up", "2001:db8:2::1").status_code == 400


def test_many_ipv6_networks_of_one_owner_cannot_fill_the_parking_places_of_all(app: Flask, sandbox: Sandbox) -> None:
    sandbox.world.faults = sandbox.world.faults.model_copy(update={"aws_down": True})
    with app.app_context():
        rate_counters.current().add("parked-nearby/20010db80001/48", 3600, PARKED_NEARBY.at_most - 1)

    last = land(app, factories.token(sandbox), "2001:db8:1:1::1")
    one_more = land(app, factories.token(sandbox), "2001:db8:1:2::1")
    elsewhere = land(app, factories.token(sandbox), "2001:db8:2::1")

    assert last.location == elsewhere.location == "/signup"
    assert one_more.status_code == 503


def test_with_redis_machines_count_and_remember_together(
    environment: pytest.MonkeyPatch, refusing: tuple[Flask, Fake], redis_url: str
) -> None:
    _, aws = refusing
    environment.setenv("RATELIMIT_STORAGE_URI", redis_url)
    with factories.running(create_app()) as one, factories.running(create_app()) as other:
        assert [land(machine, "made up").status_code for machine in (one, other)] == [400] * 2
        assert aws.asked == 1

        flood(one, 29)
        assert land(other, "another").status_code == 429
        assert land(other, "made up").status_code == 400
        assert land(other, "another", ELSEWHERE).status_code == 400
    assert aws.asked == 31


def test_a_redis_that_goes_away_costs_no_buyer(
    environment: pytest.MonkeyPatch, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving() as url:
        environment.setenv("RATELIMIT_STORAGE_URI", url)
    with factories.running(create_app()) as app:
        with serving(urlsplit(url).port or 0):
            assert land(app, factories.token(sandbox)).location == "/signup"

        assert [land(app, factories.token(sandbox)).location for _ in range(5)] == ["/signup"] * 5
        assert flood(app, 31) == [400] * 30 + [429]
    assert capsys.readouterr().err.count('"event": "counters.parted"') == 1
