"""foyer doctor: settings that contradict each other."""

import pytest

from tests.cli.doctor.doctor_output import findings, run_doctor
from tests.support.databases import on_sqlite


@on_sqlite
@pytest.mark.usefixtures("app")
@pytest.mark.parametrize(
    ("hosts", "site_url", "is_trusted"),
    [
        ("start.acme.example", "https://start.acme.example", True),
        (".acme.example", "https://Start.acme.example:8443", True),
        ("acme.example", "https://start.acme.example", False),
        ("", "https://start.acme.example", True),
        ("start.acme.example", "", True),
    ],
)
def test_host_of_site_url_has_to_be_trusted(
    environment: pytest.MonkeyPatch, hosts: str, site_url: str, is_trusted: bool
) -> None:
    environment.setenv("TRUSTED_HOSTS", hosts)
    environment.setenv("SITE_URL", site_url)

    verdict, advice = findings(run_doctor())["settings"]

    assert verdict == ("ok" if is_trusted else "FAIL")
    assert is_trusted or "TRUSTED_HOSTS does not have start.acme.example" in advice
