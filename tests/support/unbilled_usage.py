"""Hours of usage that AWS does not bill, and what the seller and the product get of it."""

from typing import Any

from flask import Flask
from sqlalchemy import Row

from sandbox.purchases import Purchase
from tests.support.metered_product import MeteredProduct, at
from tests.support.outbox_messages import handoff_messages, mail_messages

PROBLEM, SETUP = "seller_usage_problem", "seller_usage_setup"


def usage_mails(app: Flask, type_: str = PROBLEM) -> list[Row[Any]]:
    return [message for message in mail_messages(app) if message.type == type_]


def refused_handoffs(app: Flask) -> list[dict[str, Any]]:
    return [message.payload for message in handoff_messages(app) if message.type == "usage.refused"]


def conflict(metered: MeteredProduct, *hours: int) -> Purchase:
    """Let Foyer send hours of 28 November that another system has metered."""
    purchase = metered.buy()
    for hour in hours:
        metered.set_clock(at(f"{hour:02d}:20"))
        metered.use(purchase, "1.5", id=f"used-at-{hour}")
        metered.meter_elsewhere(purchase, at(f"{hour:02d}:00"))
    metered.set_clock(at(f"{max(hours) + 1:02d}:10"))
    metered.work()
    return purchase
