"""Who is being served when gunicorn is asked to stop gets an answer."""

from tests.endurance import drain
from tests.endurance.runs import Stage


def test_requests_under_way_when_gunicorn_is_stopped_are_answered(stage: Stage) -> None:
    buyers = 12

    report = drain.under_way(stage, buyers)

    print(report)
    assert report.nothing_lost(at_least=buyers)
    assert report.disturbed == 0
