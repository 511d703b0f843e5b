"""Signs buyers in: an assertion from Foyer becomes the product's own session. Sellers copy `verify_assertion`."""

from typing import Any

import jwt
from flask import Blueprint, current_app, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from jwt import PyJWKClient, PyJWKClientConnectionError, PyJWTError

from sandbox.example.state import Member, Tenant
from sandbox.example.tenants import AssertionReused, Tenants

blueprint = Blueprint("buyer_sign_in", __name__)

# Tolerated difference between the clocks of the two machines.
LEEWAY_SECONDS = 30


@blueprint.get("/t/<reference>/enter")
def enter(reference: str) -> ResponseReturnValue:
    """Sign in a buyer who comes from Foyer, and redirect to a URL without the assertion."""
    try:
        claims = verify_assertion(request.args.get("foyer_assertion", ""), current_app.config["SITE_URL"])
    except PyJWKClientConnectionError:
        return _stop_page(reference, 503)
    except (PyJWTError, AssertionReused, ValueError):
        return _stop_page(reference, 403)
    state = current_tenants().state
    tenant, subscription = state.tenant(reference), state.subscription(claims["sub"])
    expected = (reference, claims["aud"])
    if tenant is None or subscription is None or (subscription.tenant, subscription.product_code) != expected:
        return _stop_page(reference, 403)
    return _sign_in_buyer(tenant, claims)


def verify_assertion(assertion: str, site_url: str) -> dict[str, Any]:
    """Return the claims of an assertion, which works once: the subscription, and the registration of the buyer.

    Raises:
        PyJWKClientConnectionError: Foyer's keys cannot be fetched.
        PyJWTError, ValueError: the assertion is not Foyer's, is for another product, or has expired.
        AssertionReused: the assertion has been used before.
    """
    claims: dict[str, Any] = jwt.decode(
        assertion,
        key_client(site_url).get_signing_key_from_jwt(assertion),
        algorithms=["EdDSA"],
        issuer=site_url,
        audience=list(current_app.extensions["products"]),
        leeway=LEEWAY_SECONDS,
        options={"require": ["iss", "aud", "sub", "jti", "iat", "exp"]},
    )
    current_tenants().consume_assertion(claims["jti"], claims["exp"] + LEEWAY_SECONDS)
    return claims


def key_client(site_url: str) -> PyJWKClient:
    """Return the client that fetches Foyer's public keys and caches them for five minutes."""
    clients: dict[str, PyJWKClient] = current_app.extensions["keys"]
    return clients.setdefault(site_url, PyJWKClient(f"{site_url}/.well-known/jwks.json", timeout=5))


@blueprint.get("/t/<reference>")
def home(reference: str) -> ResponseReturnValue:
    """Show a member the tenant's subscriptions; anyone else is redirected to the sign-in page."""
    tenant, member = current_session()
    if tenant is None or tenant.reference != reference:
        return redirect(url_for("buyer_sign_in.login", account=reference), 303)
    subscriptions = current_tenants().subscriptions(tenant)
    items = {subscription.id: current_tenants().usage_of(subscription) for subscription in subscriptions}
    problem = current_app.extensions["usage_sender"].problem
    shown = {"tenant": tenant, "member": member, "subscriptions": subscriptions, "items": items, "problem": problem}
    response = make_response(render_template("home.html", **shown))
    is_unsent = any(item.state == "unsent" for subscription in subscriptions for item in items[subscription.id])
    if is_unsent or any(subscription.status == "pending" for subscription in subscriptions):
        response.headers["Refresh"] = "3"
    return response


@blueprint.get("/login")
def login() -> str:
    """Show every member to sign in as. A real product asks for a password here."""
    return render_template("login.html", account=current_tenants().state.tenant(request.args.get("account")))


@blueprint.post("/login")
def sign_in() -> ResponseReturnValue:
    """Sign in as the chosen member."""
    tenant = current_tenants().state.tenant(request.form.get("account"))
    member = tenant.member(request.form.get("member")) if tenant else None
    if tenant is None or member is None:
        return redirect(url_for("buyer_sign_in.login"), 303)
    return _start_session(tenant, member)


@blueprint.post("/logout")
def sign_out() -> ResponseReturnValue:
    """End the session."""
    session.clear()
    return redirect(url_for("buyer_sign_in.login"), 303)


def current_session() -> tuple[Tenant, Member] | tuple[None, None]:
    """Return the signed-in tenant and member, or None for both if either no longer exists."""
    tenant = current_tenants().state.tenant(session.get("account"))
    member = tenant.member(session.get("member")) if tenant else None
    return (tenant, member) if tenant and member else (None, None)


def current_tenants() -> Tenants:
    """Return the tenants of the product that serves this request."""
    tenants: Tenants = current_app.extensions["tenants"]
    return tenants


def _sign_in_buyer(tenant: Tenant, claims: dict[str, Any]) -> ResponseReturnValue:
    member = tenant.member(claims.get("registration_id"))
    if member is None:
        # Buyers who only typed an account's name are not members of it. They use the normal sign-in, which proves it.
        return redirect(url_for("buyer_sign_in.login", account=tenant.reference), 303)
    return _start_session(tenant, member)


def _start_session(tenant: Tenant, member: Member) -> ResponseReturnValue:
    # The earlier session may be another person's.
    session.clear()
    session["account"], session["member"] = tenant.reference, member.id
    return redirect(url_for("buyer_sign_in.home", reference=tenant.reference), 303)


def _stop_page(reference: str, status: int) -> ResponseReturnValue:
    tenant, _ = current_session()
    signed_in = tenant if tenant and tenant.reference == reference else None
    return make_response(render_template("stopped.html", tenant=signed_in, foyer_is_down=status == 503), status)
