"""Sign-in tokens as a product verifies them: with two libraries, for five minutes, and through a key rotation."""

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
def service_with(*secrets: str) -> Iterator[None]:
    """Run the block as the service with these secrets, the newest first."""
    app = Flask(__name__)
    newest, *earlier = secrets or (SECRET_KEY,)
    sign_in_tokens.init_app(
        app, factories.settings(site_url=SITE, secret_key=newest, secret_key_fallbacks=",".join(earlier))
    )
    with app.app_context():
        yield


def issue_token(reference: str | None = "acct-7") -> str:
    return sign_in_tokens.issue(PRODUCT_CODE, SUBSCRIPTION, REGISTRATION, reference)


def published_keys() -> dict[str, Any]:
    """Return the JWK set as it leaves in the response."""
    keys: dict[str, Any] = json.loads(json.dumps(sign_in_tokens.jwk_set()))
    return keys


def verified_claims(
    token: str, keys: dict[str, Any], product_code: str = PRODUCT_CODE, issuer: str = SITE
) -> dict[str, Any]:
    """Verify the token as the product with that code does, and return its claims."""
    key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(token)["kid"]]
    required: list[str] = ["exp", "iat", "iss", "aud", "sub", "jti"]
    claims: dict[str, Any] = jwt.decode(
        token, key, ["EdDSA"], audience=product_code, issuer=issuer, options={"require": required}
    )
    return claims


def base64url_decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_token_names_the_subscription_and_no_person() -> None:
    with service_with(), time_machine.travel(NOW, tick=False):
        claims = verified_claims(issue_token(), published_keys())

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


def test_token_without_reference_has_no_such_claim() -> None:
    with service_with():
        assert "reference" not in verified_claims(issue_token(None), published_keys())


def test_token_header_names_the_key() -> None:
    with service_with():
        header = jwt.get_unverified_header(issue_token())

        assert header == {"alg": "EdDSA", "typ": "JWT", "kid": published_keys()["keys"][0]["kid"]}


def test_second_library_accepts_the_token() -> None:
    with service_with():
        keys = jwk.KeySet.import_key_set(published_keys())  # type: ignore[arg-type]  # its type is that of one it made

        # joserfc prefers the algorithm's newer name, which other libraries do not support yet.
        with pytest.warns(SecurityWarning, match="EdDSA is deprecated"):
            decoded = other_jwt.decode(issue_token(), keys, algorithms=["EdDSA"])

    other_jwt.JWTClaimsRegistry(aud={"essential": True, "value": PRODUCT_CODE}).validate(decoded.claims)
    assert keys.keys[0].thumbprint() == decoded.header["kid"]


def test_published_key_verifies_the_signature() -> None:
    with service_with():
        head, claims, signature = issue_token().split(".")
        public = Ed25519PublicKey.from_public_bytes(base64url_decoded(published_keys()["keys"][0]["x"]))

    public.verify(base64url_decoded(signature), f"{head}.{claims}".encode())


def test_token_expires_after_five_minutes() -> None:
    with service_with(), time_machine.travel(NOW, tick=False) as clock:
        token = issue_token()

        clock.shift(299)
        verified_claims(token, published_keys())
        clock.shift(1)
        with pytest.raises(jwt.ExpiredSignatureError):
            verified_claims(token, published_keys())


def test_token_ids_are_unique() -> None:
    with service_with(), time_machine.travel(NOW, tick=False):
        token_ids = {verified_claims(issue_token(), published_keys())["jti"] for _ in range(100)}

    assert len(token_ids) == 100


def test_another_product_refuses_the_token() -> None:
    with service_with(), pytest.raises(jwt.InvalidAudienceError):
        verified_claims(issue_token(), published_keys(), product_code=OTHER_PRODUCT_CODE)


def test_token_of_another_issuer_is_refused() -> None:
    with service_with(), pytest.raises(jwt.InvalidIssuerError):
        verified_claims(issue_token(), published_keys(), issuer="https://start.other.example")


def test_changed_token_is_refused() -> None:
    with service_with():
        token, keys = issue_token(), published_keys()

    # Not the header; and not the last character of a part, which may have bits without meaning.
    for match in re.compile(r"[^.](?=[^.])").finditer(token, token.index(".")):
        changed = token[: match.start()] + ("B" if match[0] == "A" else "A") + token[match.end() :]
        with pytest.raises(jwt.InvalidTokenError):
            verified_claims(changed, keys)


def test_token_issued_before_a_key_rotation_stays_valid() -> None:
    with service_with(SECRET_KEY):
        before, old_keys = issue_token(), published_keys()["keys"]

    with service_with(LATER_SECRET, SECRET_KEY):
        verified_claims(before, published_keys())
        after, all_keys = issue_token(), published_keys()["keys"]
        verified_claims(after, published_keys())

    assert all_keys[1:] == old_keys
    assert [jwt.get_unverified_header(token)["kid"] for token in (before, after)] == [
        all_keys[1]["kid"],
        all_keys[0]["kid"],
    ]


def test_token_of_a_removed_secret_is_refused() -> None:
    with service_with(SECRET_KEY):
        before = issue_token()

    with service_with(LATER_SECRET):
        with pytest.raises(KeyError):
            verified_claims(before, published_keys())
        renamed = {"keys": [{**published_keys()["keys"][0], "kid": jwt.get_unverified_header(before)["kid"]}]}
        with pytest.raises(jwt.InvalidSignatureError):
            verified_claims(before, renamed)


def test_equal_secrets_give_equal_keys() -> None:
    with service_with():
        first = published_keys()

    with service_with():
        assert published_keys() == first


def test_jwk_set_holds_public_members_only_keys() -> None:
    with service_with(LATER_SECRET, SECRET_KEY):
        keys = published_keys()["keys"]

    assert [set(key) for key in keys] == [{"kty", "crv", "x", "kid", "use", "alg"}] * 2
    assert {(key["kty"], key["crv"], key["use"], key["alg"]) for key in keys} == {("OKP", "Ed25519", "sig", "EdDSA")}


def test_slow_imports_wait_for_the_first_token() -> None:
    script = "import sys, app.security.sign_in_tokens; sys.exit('jwt' in sys.modules or 'cryptography' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
