"""Who is being served when gunicorn is asked to stop gets an answer."""

from tests.endurance import graceful_stop
from tests.endurance.kill_runs import RunEnvironment


def test_requests_under_way_when_gunicorn_is_stopped_are_answered(run_environment: RunEnvironment) -> None:
    buyers = 12

    report = graceful_stop.stop_during_requests(run_environment, buyers)

    print(report)
    assert report.is_lossless(at_least=buyers)
    assert report.interrupted == 0
