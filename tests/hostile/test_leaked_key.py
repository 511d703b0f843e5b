"""A leaked secret key, listed in SECRET_KEY_LEAKED: its thief gets nowhere, and buyers lose little."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt
import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.config import settings
from app.config.settings import SettingsError
from app.models import PendingToken, Registration, StoredDraft
from app.security import encryption, sign_in_tokens
from app.services.operations import reseal
from app.services.signup import invitations, progress, resume_links
from app.worker import loop
from sandbox.purchases import Purchase
from sandbox.server import Sandbox
from tests.cli.doctor.doctor_output import findings, run_doctor
from tests.hostile.leaked_keys import NEW_KEY, after_leak, copy_cookies, land
from tests.support import factories, longest_values
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS, PRODUCT_CODE, SECRET_KEY
from tests.support.page_checks import csrf_token
from tests.support.pending_purchases import register_before_purchase, resolve_pending
from tests.support.stored_rows import all_rows
from tests.views.colleagues import create_invitation

pytestmark = on_sqlite
WRONG = {**ANSWERS, "email": "not-an-address"}
LONG = {**WRONG, "notes": longest_values.text(2000, longest_values.HAN)}


@pytest.fixture(autouse=True)
def _site(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SITE_URL", "https://start.acme.example")


@pytest.fixture
def purchase(sandbox: Sandbox) -> Purchase:
    return sandbox.marketplace.buy(factories.order())


def test_sign_in_token_of_leaked_key_is_accepted_by_no_product(environment: pytest.MonkeyPatch, app: Flask) -> None:
    with app.app_context():
        forged = sign_in_tokens.issue(PRODUCT_CODE, UUID(int=1), UUID(int=2), None)

    with after_leak(environment) as rotated:
        keys = rotated.test_client().get("/.well-known/jwks.json").json

    assert keys
    assert len(keys["keys"]) == 1
    assert keys["keys"][0]["kid"] != jwt.get_unverified_header(forged)["kid"]


def test_session_and_form_of_leaked_key_are_refused(
    environment: pytest.MonkeyPatch, client: FlaskClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    form = csrf_token(land(client, sandbox, purchase))
    client.post("/signup", data={**ANSWERS, "csrf_token": form})

    with after_leak(environment) as rotated:
        thief = copy_cookies(client, rotated, "session")
        pages = [thief.get(path).status_code for path in ("/welcome", "/enter", "/signup", "/invite")]
        buyer = rotated.test_client()
        land(buyer, sandbox, sandbox.marketplace.buy(factories.order()))
        sent = buyer.post("/signup", data={**ANSWERS, "csrf_token": form})

    assert pages == [403] * 4
    assert sent.status_code == 422


def test_links_of_leaked_key_lead_nowhere(
    environment: pytest.MonkeyPatch, app: Flask, client: FlaskClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    form = csrf_token(land(client, sandbox, purchase))
    _, invitation = create_invitation(app)
    client.post("/signup", data={**ANSWERS, "csrf_token": form})
    _, unlinked = register_before_purchase(app, factories.token(sandbox))
    with app.app_context():
        paths = [
            progress.LINK.path_for(all_rows(app, Registration)[0].id),
            resume_links.LINK.path_for(unlinked.registration_id),
        ]

    with after_leak(environment) as rotated:
        thief = rotated.test_client()
        pages = [thief.get(path) for path in (*paths, invitation)]

    assert [page.status_code for page in pages] == [404, 200, 404]
    assert "This link no longer works" in pages[1].text
    assert invitations.LINK.purpose not in encryption.OPENED_WITH_LEAKED_SECRETS


def sealed_values(app: Flask) -> set[bytes | None]:
    tokens, drafts = all_rows(app, PendingToken), all_rows(app, StoredDraft)
    return {*(token.sealed for token in tokens), *(draft.sealed for draft in drafts)}


def test_worker_encrypts_anew_what_leaked_key_encrypted(
    environment: pytest.MonkeyPatch, app: Flask, client: FlaskClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    form = csrf_token(land(client, sandbox, purchase))
    client.post("/signup", data={**LONG, "csrf_token": form})
    _, completed = register_before_purchase(app, factories.token(sandbox))
    sealed_before = sealed_values(app)

    with after_leak(environment) as rotated, rotated.app_context():
        assert reseal.count_sealed() == 2
        loop.purge()
        assert reseal.count_sealed() == 0
    sealed_after = sealed_values(app)
    environment.delenv("SECRET_KEY_LEAKED")
    with factories.open_app(create_app()) as without_leaked_key:
        assert resolve_pending(without_leaked_key, seconds=5)
        registrations = {row.id: row.subscription_id for row in all_rows(without_leaked_key, Registration)}

    assert sealed_before.isdisjoint(sealed_after)
    assert registrations[completed.registration_id]


def test_pending_token_of_leaked_key_is_resolved(environment: pytest.MonkeyPatch, app: Flask, sandbox: Sandbox) -> None:
    register_before_purchase(app, factories.token(sandbox))

    with after_leak(environment) as rotated:
        assert resolve_pending(rotated, seconds=5)

        assert all(row.subscription_id for row in all_rows(rotated, Registration))


def test_doctor_says_when_leaked_key_is_of_no_use(
    environment: pytest.MonkeyPatch, app: Flask, sandbox: Sandbox
) -> None:
    register_before_purchase(app, factories.token(sandbox))
    alone = findings(run_doctor())["signing keys"]
    with after_leak(environment) as rotated:
        sealed = findings(run_doctor())["signing keys"]
        with rotated.app_context():
            loop.purge()
        resealed = findings(run_doctor())["signing keys"]
        with time_machine.travel(datetime.now(UTC) + timedelta(hours=25)):
            useless = findings(run_doctor())["signing keys"]
            with rotated.app_context():
                loop.purge()
            assert findings(run_doctor())["signing keys"] == useless

    assert alone == ("ok", "SECRET_KEY alone.")
    assert sealed[0] == resealed[0] == useless[0] == "warn"
    assert "1 pending tokens and drafts are encrypted with its keys" in sealed[1]
    assert "Only drafts in buyers' browsers can still need it, until " in resealed[1]
    assert "SECRET_KEY_LEAKED has been of no use since " in useless[1]
    assert all(SECRET_KEY not in finding for _, finding in (sealed, resealed, useless))


@pytest.mark.parametrize(
    ("names", "refused", "advice"),
    [
        (("SECRET_KEY", "SECRET_KEY_LEAKED"), "SECRET_KEY_LEAKED", "Set SECRET_KEY to a new one"),
        (("SECRET_KEY", "SECRET_KEY_FALLBACKS"), "SECRET_KEY_FALLBACKS", "Set SECRET_KEY to a new one"),
        (("SECRET_KEY_FALLBACKS", "SECRET_KEY_LEAKED"), "SECRET_KEY_LEAKED", "Remove it from there"),
    ],
)
def test_key_is_refused_in_two_settings(
    environment: pytest.MonkeyPatch, names: tuple[str, str], refused: str, advice: str
) -> None:
    environment.setenv("SECRET_KEY", NEW_KEY)
    for name in names:
        environment.setenv(name, SECRET_KEY)

    with pytest.raises(SettingsError) as raised:
        settings.load()

    assert f"{refused}: it has " in str(raised.value)
    assert advice in str(raised.value)
    assert SECRET_KEY not in str(raised.value)
