"""flask doctor: whether hand-offs can go where the settings send them."""

import pytest

from tests import factories
from tests.cli.doctors import examine, failing, findings
from tests.databases import on_sqlite

pytestmark = [on_sqlite, pytest.mark.usefixtures("app")]
INSIDE = [
    "https://10.0.0.7/foyer",
    "https://127.0.0.1:9000/foyer",
    "https://[fd00::7]/foyer",
    "https://localhost/foyer",
]


@pytest.mark.parametrize("url", INSIDE)
def test_an_address_in_a_private_network_fails_with_the_setting_that_allows_it(
    environment: pytest.MonkeyPatch, url: str
) -> None:
    factories.hand_off(environment, url)
    allowed = findings(examine())["hand-offs"]
    environment.delenv("HANDOFF_ALLOW_PRIVATE")

    failures = failing(examine())

    assert allowed[0] == "ok"
    assert f"No hand-off goes to {url}" in failures["hand-offs"]
    assert "HANDOFF_ALLOW_PRIVATE is false. Set it to true" in failures["hand-offs"]


@pytest.mark.parametrize("url", ["https://app.acme.example/foyer", "https://93.184.216.34/foyer"])
def test_an_address_outside_passes(environment: pytest.MonkeyPatch, url: str) -> None:
    factories.hand_off(environment, url)
    environment.delenv("HANDOFF_ALLOW_PRIVATE")

    assert findings(examine())["hand-offs"][0] == "ok"
