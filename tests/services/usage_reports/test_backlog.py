"""Metrics of usage: what was accepted, what waits, what is not billed, and how the calls went."""

import re
from datetime import timedelta

import pytest

from sandbox.faults import Faults
from tests.support.databases import on_sqlite
from tests.support.metered_product import MeteredProduct, at
from tests.support.unbilled_usage import conflict

SAMPLE = re.compile(r'^(foyer_usage_\w+)(?:\{\w+="(\S+)"\})? (\S+)$', re.MULTILINE)


def scrape(metered: MeteredProduct) -> dict[tuple[str, str], float]:
    """Return the metrics of usage by name and label, as Prometheus reads them."""
    text = metered.app.test_client().get("/metrics").text
    return {(name, label): float(value) for name, label, value in SAMPLE.findall(text)}


def hours_by_state(metered: MeteredProduct) -> dict[str, float]:
    return {label: value for (name, label), value in scrape(metered).items() if name == "foyer_usage_records" and value}


def test_hours_are_counted_by_state_without_the_billed_ones(metered: MeteredProduct) -> None:
    purchase = conflict(metered, 10)
    metered.use(purchase, dimension="api_calls")
    assert hours_by_state(metered) == {"conflict": 1, "open": 1}

    metered.work_until(at("12:20"))
    assert metered.states() == ["conflict", "billed"]
    assert hours_by_state(metered) == {"conflict": 1}


def test_oldest_unsent_hour_has_its_age_from_its_start(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    metered.use(purchase)
    assert scrape(metered)["foyer_usage_oldest_unsent_seconds", ""] == 0
    metered.sandbox.marketplace.faults = Faults(metering_errors=1000)
    metered.set_clock(at("10:10"))
    metered.work()
    metered.set_clock(at("12:00"))
    metered.use(purchase)

    assert scrape(metered)["foyer_usage_oldest_unsent_seconds", ""] == 3 * 3600


def test_held_items_are_counted(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    metered.set_clock(at("07:00", day=1, month=12))
    metered.use(purchase, at=at("23:55", day=30))

    assert scrape(metered)["foyer_usage_held_items", ""] == 1


def test_calls_of_the_last_hour_are_counted_by_outcome(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    metered.use(purchase)
    metered.sandbox.marketplace.faults = Faults(metering_throttled=2, lost_answers=1)
    metered.work_until(at("10:30"))

    calls = {label: value for (name, label), value in scrape(metered).items() if name == "foyer_usage_calls_last_hour"}
    metered.advance(hours=1)
    assert (calls["ThrottlingException"], calls["answered"], sum(calls.values())) == (2, 1, 4)
    assert ("foyer_usage_calls_last_hour", "answered") not in scrape(metered)


@on_sqlite
@pytest.mark.parametrize("verdict", ["accepted", "conflict", "refused"])
def test_items_are_counted_by_verdict(metered: MeteredProduct, verdict: str) -> None:
    purchase = metered.buy()
    before = scrape(metered)["foyer_usage_items_total", verdict]
    item = metered.item(purchase)
    bad = {"accepted": {}, "conflict": {"quantity": "9"}, "refused": {"quantity": "-1"}}[verdict]

    metered.accept(item, item | bad)

    assert scrape(metered)["foyer_usage_items_total", verdict] == before + (2 if verdict == "accepted" else 1)


@on_sqlite
def test_age_falls_to_zero_when_all_is_billed(metered: MeteredProduct) -> None:
    metered.use(metered.buy())
    metered.work_until(at("10:30"), step=timedelta(minutes=10))

    assert scrape(metered)["foyer_usage_oldest_unsent_seconds", ""] == 0
