"""The buyer's way in: an assertion from Foyer becomes a session of the product's own. Sellers copy `proven`."""

from typing import Any

import jwt
from flask import Blueprint, current_app, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from jwt import PyJWKClient, PyJWKClientConnectionError, PyJWTError

from sandbox.example.state import Member, Tenant
from sandbox.example.tenants import AssertionReused, Tenants

blueprint = Blueprint("entry", __name__)

# How far the clocks of the two machines may be apart.
LEEWAY_SECONDS = 30


@blueprint.get("/t/<reference>/enter")
def enter(reference: str) -> ResponseReturnValue:
    """Let a buyer who comes from Foyer in, and lead on to an address without the assertion."""
    try:
        claims = verify_assertion(request.args.get("foyer_assertion", ""), current_app.config["SITE_URL"])
    except PyJWKClientConnectionError:
        return _refuse_entry(reference, 503)
    except (PyJWTError, AssertionReused, ValueError):
        return _refuse_entry(reference, 403)
    tenant, held = current_tenants().state.tenant(reference), current_tenants().state.subscription(claims["sub"])
    if tenant is None or held is None or (held.tenant, held.product_code) != (reference, claims["aud"]):
        return _refuse_entry(reference, 403)
    return _sign_in_buyer(tenant, claims)


def verify_assertion(assertion: str, site_url: str) -> dict[str, Any]:
    """Return what Foyer asserts, once: who comes, for which subscription.

    Raises:
        PyJWKClientConnectionError: Foyer's keys cannot be fetched.
        PyJWTError, ValueError: it is not Foyer's, is for another product, or its five minutes are over.
        UsedBefore: it has let somebody in already.
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
    """Return the client that fetches Foyer's public keys; it keeps them for five minutes."""
    clients: dict[str, PyJWKClient] = current_app.extensions["keys"]
    return clients.setdefault(site_url, PyJWKClient(f"{site_url}/.well-known/jwks.json", timeout=5))


@blueprint.get("/t/<reference>")
def home(reference: str) -> ResponseReturnValue:
    """Greet a member of the tenant, and show what the subscription allows."""
    tenant, member = current_session()
    if tenant is None or tenant.reference != reference:
        return redirect(url_for("entry.login", account=reference), 303)
    held = current_tenants().subscriptions(tenant)
    response = make_response(render_template("home.html", tenant=tenant, member=member, subscriptions=held))
    if any(subscription.status == "pending" for subscription in held):
        response.headers["Refresh"] = "3"
    return response


@blueprint.get("/login")
def login() -> str:
    """Offer to sign in as anybody: this product only pretends to ask for a password."""
    return render_template("login.html", account=current_tenants().state.tenant(request.args.get("account")))


@blueprint.post("/login")
def sign_in() -> ResponseReturnValue:
    """Sign in as the member that was chosen."""
    tenant = current_tenants().state.tenant(request.form.get("account"))
    member = tenant.member(request.form.get("member")) if tenant else None
    if tenant is None or member is None:
        return redirect(url_for("entry.login"), 303)
    return _start_session(tenant, member)


@blueprint.post("/logout")
def sign_out() -> ResponseReturnValue:
    """End the session."""
    session.clear()
    return redirect(url_for("entry.login"), 303)


def current_session() -> tuple[Tenant, Member] | tuple[None, None]:
    """Return who is signed in and where; nobody once the tenant or the member is no more."""
    tenant = current_tenants().state.tenant(session.get("account"))
    member = tenant.member(session.get("member")) if tenant else None
    return (tenant, member) if tenant and member else (None, None)


def current_tenants() -> Tenants:
    """Return the tenants of the product that answers this request."""
    found: Tenants = current_app.extensions["tenants"]
    return found


def _sign_in_buyer(tenant: Tenant, claims: dict[str, Any]) -> ResponseReturnValue:
    member = tenant.member(claims.get("registration_id"))
    if member is None:
        # Whoever only typed which account is theirs is no member: they sign in as its customers always do.
        return redirect(url_for("entry.login", account=tenant.reference), 303)
    return _start_session(tenant, member)


def _start_session(tenant: Tenant, member: Member) -> ResponseReturnValue:
    # Whatever was in the session before belongs to somebody else.
    session.clear()
    session["account"], session["member"] = tenant.reference, member.id
    return redirect(url_for("entry.home", reference=tenant.reference), 303)


def _refuse_entry(reference: str, status: int) -> ResponseReturnValue:
    tenant, _ = current_session()
    here = tenant if tenant and tenant.reference == reference else None
    return make_response(render_template("stopped.html", tenant=here, foyer_is_down=status == 503), status)
