"""A graceful stop: gunicorn answers every request under way before it ends."""

from tests.endurance import graceful_stop
from tests.endurance.kill_runs import RunEnvironment


def test_gunicorn_answers_requests_under_way_before_it_stops(run_environment: RunEnvironment) -> None:
    buyers = 12

    report = graceful_stop.stop_during_requests(run_environment, buyers)

    print(report)
    assert report.is_lossless(at_least=buyers)
    assert report.interrupted == 0
