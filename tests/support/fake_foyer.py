"""Stands in for Foyer in tests of a product: signs hand-offs and sign-in tokens, publishes the public key."""

import base64
import json
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from justhtml import JustHTML
from jwt.algorithms import OKPAlgorithm
from standardwebhooks import Webhook

from sandbox.example.server import ExampleProduct
from sandbox.example.state import FIRST_TENANTS
from tests.support.local_server import serve_app

SECRET, NEWER_SECRET, UNKNOWN_SECRET = (f"whsec_{base64.b64encode(bytes([n] * 32)).decode()}" for n in range(3))
PRODUCT_CODE, OTHER_PRODUCT_CODE = "insights1example", "ledger2example"
REGISTRATION_PAYLOAD: dict[str, Any] = {
    "id": "0b7d7c5e-6c3a-4f0e-8f2b-0d5d1f6c7a10",
    "company": "Juniper & Lark",
    "full_name": "Ada Lovelace",
    "email": "ada@juniper.example",
    "phone": None,
    "notes": None,
    "created_at": "2026-11-23T12:00:00.000Z",
    "updated_at": "2026-11-23T12:00:00.000Z",
}
SUBSCRIPTION_PAYLOAD: dict[str, Any] = {
    "id": "6f1d3c58-9d53-4f0e-9f43-0c3f4a7a1f11",
    "former_ids": [],
    "product_code": PRODUCT_CODE,
    "status": "pending",
    "status_since": None,
    "customer_aws_account_id": "111122223333",
    "customer_identifier": None,
    "license_arn": None,
    "agreement_id": None,
    "offer_type": None,
    "free_trial": False,
    "ends_at": None,
    "entitlements": None,
}
ACCOUNT_PAYLOAD: dict[str, Any] = {
    "wish": "new",
    "existing_account": None,
    "subscription_id": None,
    "url": None,
    "reference": None,
}
OTHER_SUBSCRIPTION: dict[str, Any] = {"id": "a9b8c7d6-0000-4000-8000-000000000002"}
# A person at Quill & Feather, a customer that the example product has from the start.
GRACE_REGISTRATION = {
    **REGISTRATION_PAYLOAD,
    "id": "grace",
    "full_name": "Grace Hopper",
    "email": "grace@quillfeather.example",
}
QUILLFEATHER_REFERENCE = "quillfeather-7f3k"


def handoff(
    type_: str = "registration.completed",
    *,
    sequence: int = 1,
    registration: dict[str, Any] | None = REGISTRATION_PAYLOAD,
    account: dict[str, Any] | None = None,
    **subscription: Any,
) -> dict[str, Any]:
    """Return a hand-off about Ada's subscription, with these values."""
    return {
        "type": type_,
        "timestamp": "2026-11-23T12:00:00.000Z",
        "version": 1,
        "data": {
            "sequence": sequence,
            "subscription": {**SUBSCRIPTION_PAYLOAD, **subscription},
            "registration": registration,
            "account": {**ACCOUNT_PAYLOAD, **(account or {})},
        },
    }


def existing_account_request(existing_account: str) -> dict[str, str]:
    """Return a hand-off's account request from a buyer who named their existing account."""
    return {"wish": "existing", "existing_account": existing_account}


def send_handoff(
    url: str, payload: dict[str, Any] | bytes, *, secrets: tuple[str, ...] = (SECRET,), **headers: str
) -> requests.Response:
    """POST a hand-off, signed with every secret; `webhook_id="x"` and the like replace the default headers."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload, separators=(",", ":")).encode()
    now, message_id = datetime.now(UTC), headers.pop("webhook_id", f"msg_{uuid.uuid4().hex}")
    default_headers = {
        "content-type": "application/json",
        "user-agent": "foyer",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, now, body.decode()) for secret in secrets),
    }
    replaced_headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.post(url, data=body, headers=default_headers | replaced_headers, timeout=30)


def created_companies(example: ExampleProduct) -> list[str]:
    """Return the companies whose tenants were created by hand-offs."""
    initial_references = {tenant.reference for tenant in FIRST_TENANTS}
    return [tenant.company for tenant in example.tenants if tenant.reference not in initial_references]


def check_example_page(response: requests.Response) -> requests.Response:
    """Assert the rules for every page of the example product, and return the response."""
    JustHTML(response.text, strict=True, sanitize=False)
    assert response.text.count("<h1") == 1
    assert not re.search(r"<script|style=", response.text)
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    return response


class FakeFoyer:
    """A site at `site_url` that signs sign-in tokens; `publish_keys` serves its public key."""

    def __init__(self) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.site_url = ""

    def sign_in_token(self, **claims: Any) -> str:
        """Return Ada's sign-in token with these claims; None leaves a claim out."""
        now = int(time.time())
        default_claims = {
            "iss": self.site_url,
            "aud": PRODUCT_CODE,
            "sub": SUBSCRIPTION_PAYLOAD["id"],
            "registration_id": REGISTRATION_PAYLOAD["id"],
            "jti": uuid.uuid4().hex,
            "iat": now,
            "exp": now + 300,
        }
        payload = {name: value for name, value in (default_claims | claims).items() if value is not None}
        return jwt.encode(payload, self.key, algorithm="EdDSA", headers={"kid": "first"})

    def public_keys(self) -> dict[str, Any]:
        """Return the body of /.well-known/jwks.json."""
        public = OKPAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": "first", "use": "sig", "alg": "EdDSA"}]}


@contextmanager
def publish_keys(foyer: FakeFoyer) -> Iterator[FakeFoyer]:
    """Serve the public key at `foyer.site_url`, which this sets."""
    app = Flask(__name__)
    app.add_url_rule("/.well-known/jwks.json", "keys", foyer.public_keys)
    with serve_app(app) as foyer.site_url:
        yield foyer
