"""Assertions as a product checks them: with two libraries, for itself alone, for five minutes, through a rotation."""

import json
import re
import subprocess
import sys
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from flask import Flask
from joserfc import jwk
from joserfc import jwt as other_jwt
from joserfc.errors import SecurityWarning

from app.security import sign_in_tokens
from tests.support import factories
from tests.support.factories import OTHER_PRODUCT_CODE, PRODUCT_CODE, SECRET_KEY

SITE = "https://start.acme.example"
SUBSCRIPTION, REGISTRATION = UUID(int=1), UUID(int=2)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER_SECRET = "set-at-the-rotation-0123456789abcdef"


@contextmanager
def serving(*secrets: str) -> Iterator[None]:
    """Be the service with these secrets, the newest first."""
    app = Flask(__name__)
    newest, *earlier = secrets or (SECRET_KEY,)
    sign_in_tokens.init_app(
        app, factories.settings(site_url=SITE, secret_key=newest, secret_key_fallbacks=",".join(earlier))
    )
    with app.app_context():
        yield


def issued(reference: str | None = "acct-7") -> str:
    return sign_in_tokens.issue(PRODUCT_CODE, SUBSCRIPTION, REGISTRATION, reference)


def published() -> dict[str, Any]:
    """Return the keys as they come out of the response."""
    keys: dict[str, Any] = json.loads(json.dumps(sign_in_tokens.jwk_set()))
    return keys


def accepted(
    assertion: str, keys: dict[str, Any], product_code: str = PRODUCT_CODE, issuer: str = SITE
) -> dict[str, Any]:
    """Check the assertion as the product with that code does, and return its claims."""
    key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(assertion)["kid"]]
    needed: list[str] = ["exp", "iat", "iss", "aud", "sub", "jti"]
    claims: dict[str, Any] = jwt.decode(
        assertion, key, ["EdDSA"], audience=product_code, issuer=issuer, options={"require": needed}
    )
    return claims


def unpacked(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_a_product_learns_who_comes_and_nothing_of_the_person() -> None:
    with serving(), time_machine.travel(NOW, tick=False):
        claims = accepted(issued(), published())

    assert claims.pop("jti")
    assert claims == {
        "iss": SITE,
        "aud": PRODUCT_CODE,
        "sub": str(SUBSCRIPTION),
        "registration_id": str(REGISTRATION),
        "reference": "acct-7",
        "iat": NOW.timestamp(),
        "exp": NOW.timestamp() + 300,
    }


def test_a_product_that_gave_no_reference_is_told_none() -> None:
    with serving():
        assert "reference" not in accepted(issued(None), published())


def test_the_header_names_the_key() -> None:
    with serving():
        header = jwt.get_unverified_header(issued())

        assert header == {"alg": "EdDSA", "typ": "JWT", "kid": published()["keys"][0]["kid"]}


def test_another_library_accepts_an_assertion_too() -> None:
    with serving():
        keys = jwk.KeySet.import_key_set(published())  # type: ignore[arg-type]  # its type is that of one it made

        # It would rather have the algorithm's newer name, which other libraries do not know yet.
        with pytest.warns(SecurityWarning, match="EdDSA is deprecated"):
            token = other_jwt.decode(issued(), keys, algorithms=["EdDSA"])

    other_jwt.JWTClaimsRegistry(aud={"essential": True, "value": PRODUCT_CODE}).validate(token.claims)
    assert keys.keys[0].thumbprint() == token.header["kid"]


def test_the_signature_is_that_of_the_published_key() -> None:
    with serving():
        head, claims, signature = issued().split(".")
        public = Ed25519PublicKey.from_public_bytes(unpacked(published()["keys"][0]["x"]))

    public.verify(unpacked(signature), f"{head}.{claims}".encode())


def test_an_assertion_is_good_for_five_minutes() -> None:
    with serving(), time_machine.travel(NOW, tick=False) as clock:
        assertion = issued()

        clock.shift(299)
        accepted(assertion, published())
        clock.shift(1)
        with pytest.raises(jwt.ExpiredSignatureError):
            accepted(assertion, published())


def test_no_two_assertions_are_the_same() -> None:
    with serving(), time_machine.travel(NOW, tick=False):
        names = {accepted(issued(), published())["jti"] for _ in range(100)}

    assert len(names) == 100


def test_another_product_refuses_an_assertion() -> None:
    with serving(), pytest.raises(jwt.InvalidAudienceError):
        accepted(issued(), published(), product_code=OTHER_PRODUCT_CODE)


def test_an_assertion_of_another_service_is_refused() -> None:
    with serving(), pytest.raises(jwt.InvalidIssuerError):
        accepted(issued(), published(), issuer="https://start.other.example")


def test_an_assertion_is_refused_if_any_character_of_it_was_changed() -> None:
    with serving():
        assertion, keys = issued(), published()

    # After the header; and the last character of a part may hold bits that mean nothing.
    for found in re.compile(r"[^.](?=[^.])").finditer(assertion, assertion.index(".")):
        changed = assertion[: found.start()] + ("B" if found[0] == "A" else "A") + assertion[found.end() :]
        with pytest.raises(jwt.InvalidTokenError):
            accepted(changed, keys)


def test_an_assertion_made_before_a_rotation_is_accepted_after_it_and_another_key_signs() -> None:
    with serving(SECRET_KEY):
        before, only = issued(), published()["keys"]

    with serving(LATER_SECRET, SECRET_KEY):
        accepted(before, published())
        after, both = issued(), published()["keys"]
        accepted(after, published())

    assert both[1:] == only
    assert [jwt.get_unverified_header(made)["kid"] for made in (before, after)] == [both[1]["kid"], both[0]["kid"]]


def test_an_assertion_is_refused_once_its_secret_is_no_longer_set() -> None:
    with serving(SECRET_KEY):
        before = issued()

    with serving(LATER_SECRET):
        with pytest.raises(KeyError):
            accepted(before, published())
        renamed = {"keys": [{**published()["keys"][0], "kid": jwt.get_unverified_header(before)["kid"]}]}
        with pytest.raises(jwt.InvalidSignatureError):
            accepted(before, renamed)


def test_every_process_with_the_same_secret_has_the_same_keys() -> None:
    with serving():
        first = published()

    with serving():
        assert published() == first


def test_only_what_all_may_know_is_published() -> None:
    with serving(LATER_SECRET, SECRET_KEY):
        keys = published()["keys"]

    assert [set(key) for key in keys] == [{"kty", "crv", "x", "kid", "use", "alg"}] * 2
    assert {(key["kty"], key["crv"], key["use"], key["alg"]) for key in keys} == {("OKP", "Ed25519", "sig", "EdDSA")}


def test_nothing_slow_is_imported_before_the_first_assertion() -> None:
    script = "import sys, app.security.sign_in_tokens; sys.exit('jwt' in sys.modules or 'cryptography' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
