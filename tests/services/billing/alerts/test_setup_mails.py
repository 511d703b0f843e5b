"""Usage that AWS takes from nobody with this set-up: a mail a day with the cause and the fix."""

from datetime import timedelta

import pytest

from app.services.billing import alerts, send
from app.services.delivery import usage_problems
from sandbox.faults import Faults
from tests.support import factories
from tests.support.clock import time_passes
from tests.support.databases import on_sqlite
from tests.support.metered_product import MeteredProduct, at
from tests.support.sent_mails import send_due_mails, text_of
from tests.support.smtp_server import FakeSmtpServer
from tests.support.unbilled_usage import SETUP, usage_mails


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        (Faults(access_denied=True), "lacks the permission aws-marketplace:BatchMeterUsage. (AccessDeniedException)"),
        (Faults(credentials_expired=True), "missing, wrong or expired. (ExpiredTokenException)"),
        (Faults(metering_disabled=True), "Set AWS_REGION to the Region in which you meter"),
    ],
)
@on_sqlite
def test_setup_error_is_mailed_once_a_day_with_its_fix(
    metered: MeteredProduct, mail_server: FakeSmtpServer, faults: Faults, words: str
) -> None:
    purchase = metered.buy()
    metered.use(purchase)
    metered.sandbox.marketplace.faults = faults
    metered.work_until(at("12:00"), step=timedelta(minutes=20))

    mail = send_due_mails(metered.app, mail_server)[SETUP]
    assert words in text_of(mail)
    assert len(usage_mails(metered.app, SETUP)) == 1
    assert metered.states() == ["frozen"]
    with time_passes(hours=25):
        metered.work_until(at("14:00"), step=timedelta(minutes=20))
        assert len(usage_mails(metered.app, SETUP)) == 2


def test_product_whose_records_are_all_refused_is_mailed(metered: MeteredProduct, mail_server: FakeSmtpServer) -> None:
    alerts.report_setup(factories.PRODUCT_CODE, "RecordsRefused", "InvalidProductCodeException")

    mail = send_due_mails(metered.app, mail_server)[SETUP]
    assert "the product code is wrong" in text_of(mail)


def test_every_setup_error_has_an_explanation() -> None:
    names = {error.__name__ for error in send.SETUP_ERRORS} | {"RecordsRefused"}
    assert usage_problems.SETUP_EXPLANATIONS.keys() == names
