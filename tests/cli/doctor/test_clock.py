"""The doctor compares this machine's clock with the database's."""

import pytest
from flask import Flask

from tests.cli.doctor.doctor_output import findings, run_doctor
from tests.support.clock import time_passes
from tests.support.databases import on_postgresql


def test_clock_like_the_databases_passes(app: Flask) -> None:
    assert findings(run_doctor())["clock"] == ("ok", "Within 5 s of the database's.")


@on_postgresql
@pytest.mark.parametrize(("seconds", "difference"), [(30, "30 s ahead of"), (-3600, "3600 s behind")])
def test_clock_unlike_the_databases_fails(app: Flask, seconds: float, difference: str) -> None:
    with time_passes(seconds=seconds):
        verdict, finding = findings(run_doctor())["clock"]

    assert verdict == "FAIL"
    assert f"This machine's clock is {difference} the database's." in finding
