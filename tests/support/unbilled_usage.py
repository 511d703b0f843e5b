"""Hours of usage that AWS does not bill, and what the seller and the product get of it."""

from datetime import datetime
from typing import Any

from flask import Flask

from app.aws import meter_usage
from app.aws.meter_usage import UsageRecord
from app.models import OutboxMessage
from sandbox.purchases import Purchase
from tests.support.metered_product import DIMENSION, MeteredProduct, at
from tests.support.outbox_messages import handoff_messages, mail_messages

PROBLEM, SETUP = "seller_usage_problem", "seller_usage_setup"


def meter_elsewhere(purchase: Purchase, hour: datetime, quantity: str = "99") -> None:
    """Let another system of the seller's meter the hour."""
    record = UsageRecord(hour, DIMENSION, quantity, purchase.license_arn, purchase.account_id, None)
    meter_usage.call(meter_usage.build_parameters(None, [record]))


def usage_mails(app: Flask, type_: str = PROBLEM) -> list[OutboxMessage]:
    return [message for message in mail_messages(app) if message.type == type_]


def refused_handoffs(app: Flask) -> list[dict[str, Any]]:
    return [message.payload for message in handoff_messages(app) if message.type == "usage.refused"]


def conflict(metered: MeteredProduct, *hours: int) -> Purchase:
    """Let Foyer send hours of 28 November that another system has metered."""
    purchase = metered.buy()
    for hour in hours:
        metered.set_clock(at(f"{hour:02d}:20"))
        metered.use(purchase, "1.5", id=f"used-at-{hour}")
        meter_elsewhere(purchase, at(f"{hour:02d}:00"))
    metered.set_clock(at(f"{max(hours) + 1:02d}:10"))
    metered.work()
    return purchase
