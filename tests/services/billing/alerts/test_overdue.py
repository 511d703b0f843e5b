"""Usage that is unsent for half of its time: reported once."""

from structlog.testing import capture_logs

from app.services.billing import alerts
from sandbox.faults import Faults
from tests.support.clock import time_passes
from tests.support.databases import on_postgresql, on_sqlite
from tests.support.metered_product import MeteredProduct, at
from tests.support.sent_mails import send_due_mails, text_of
from tests.support.smtp_server import FakeSmtpServer
from tests.support.unbilled_usage import PROBLEM, usage_mails


def test_overdue_hour_is_reported_once(metered: MeteredProduct, mail_server: FakeSmtpServer) -> None:
    purchase = metered.buy()
    metered.use(purchase)
    metered.sandbox.marketplace.faults = Faults(metering_errors=1000)
    for moment in ("10:10", "21:00"):
        metered.work_at(at(moment))
    alerts.report_overdue()
    assert usage_mails(metered.app) == []

    metered.work_at(at("22:00"))
    with capture_logs() as logs:
        alerts.report_overdue()
        alerts.report_overdue()
    with time_passes(minutes=2):
        mail = send_due_mails(metered.app, mail_server)[PROBLEM]

    assert [line["event"] for line in logs if line["event"] == "usage.overdue"] == ["usage.overdue"]
    assert mail["Subject"] == "Usage waits to be sent (Acme Insights)"
    assert str(metered.hours()[0].id) in text_of(mail)


@on_sqlite
def test_overdue_counts_from_the_end_of_the_month(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    metered.set_clock(at("21:30", day=30))
    metered.use(purchase)
    metered.sandbox.marketplace.faults = Faults(metering_errors=1000)
    metered.set_clock(at("22:10", day=30))
    metered.work()

    for minute, expected in (("02:04", False), ("02:06", True)):
        metered.set_clock(at(minute, day=1, month=12))
        alerts.report_overdue()
        assert (metered.hours()[0].alarmed_at is not None) is expected


def test_mail_about_hours_billed_meanwhile_is_not_sent(metered: MeteredProduct, mail_server: FakeSmtpServer) -> None:
    purchase = metered.buy()
    metered.use(purchase)
    metered.sandbox.marketplace.faults = Faults(metering_errors=1000)
    for moment in ("10:10", "22:00"):
        metered.work_at(at(moment))
    alerts.report_overdue()
    metered.sandbox.marketplace.faults = Faults()
    metered.work_until(at("23:00"))

    with time_passes(minutes=2):
        assert PROBLEM not in send_due_mails(metered.app, mail_server)
    assert [mail.outcome for mail in usage_mails(metered.app)] == ["cancelled"]


@on_postgresql
def test_many_overdue_hours_are_reported_page_by_page(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    for part in range(2):
        ids = [f"d{part}-{number}" for number in range(300)]
        metered.accept(*(metered.item(purchase, id=id_, dimension=id_) for id_ in ids))
    metered.sandbox.marketplace.faults = Faults(metering_disabled=True)
    metered.set_clock(at("10:10"))
    metered.work()
    metered.set_clock(at("22:00"))
    alerts.report_overdue()

    assert all(hour.alarmed_at for hour in metered.hours())
    assert usage_mails(metered.app)[0].payload["counts"] == {"overdue": 600}
