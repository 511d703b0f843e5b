"""The product's tenants: made, linked and kept up to date by hand-offs, whatever order these come in."""

import re
import secrets
import threading
import time
import unicodedata
from pathlib import Path

from sandbox import kept
from sandbox.example import state
from sandbox.example.handoffs import Event, Facts, Refusal, Registration
from sandbox.example.state import Held, Joined, Member, State, Tenant

# Foyer tries for three days: a webhook-id is not seen again after that.
TAKEN_SECONDS = 4 * 24 * 3600
# No letters that are taken for digits when a customer reads a reference out.
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
OVER = ("ended", "failed")


class Refused(Exception):
    """The account that the buyer wishes for cannot be linked; its argument is the reason."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason)
        self.reason = reason


class UsedBefore(Exception):
    """The assertion has let somebody in already."""


class Tenants:
    """Every tenant and subscription, safe to share between threads; with a path, kept in that file."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.state = state.read(path)

    def take(self, message_id: str, event: Event, refuses: Refusal | None = None) -> Tenant | None:
        """Return the tenant of the event's subscription after the event, or None while it has none.

        Raises:
            Refused: the buyer wishes for an account that cannot be linked; or no link at all is made at present.
        """
        with self._lock:
            known = self.state.subscription(event.data.subscription.id)
            if known and (message_id in self.state.taken or _is_older(event.data, known)):
                return self.state.tenant(known.tenant)
            held = self._brought_up_to_date(event.data)
            try:
                tenant = self._settled(held, event.data, refuses)
                # Not so after a refusal: whoever sends it again wants it judged anew.
                self._remember(message_id)
            finally:
                self._keep()
        return tenant

    def use(self, assertion_id: str, ends_at: float) -> None:
        """Remember until its end that an assertion has been used.

        Raises:
            UsedBefore: it has been already.
        """
        with self._lock:
            if assertion_id in self.state.used:
                raise UsedBefore
            now = time.time()
            self.state.used = {key: end for key, end in self.state.used.items() if end > now} | {assertion_id: ends_at}
            self._keep()

    def subscriptions(self, tenant: Tenant) -> list[Held]:
        """Return the subscriptions that pay for a tenant, the latest first."""
        return [held for held in self.state.subscriptions[::-1] if held.tenant == tenant.reference]

    def reset(self) -> None:
        """Forget every tenant and subscription but the first."""
        with self._lock:
            self.state = State()
            self._keep()

    def _brought_up_to_date(self, facts: Facts) -> Held:
        """Put what the event tells of its subscription in place of what is held, and return it."""
        told = facts.subscription
        ids = {told.id, *told.former_ids}
        # Two records that turn out to be one purchase: the one whose account people work in goes on.
        before = sorted(
            (h for h in self.state.subscriptions if h.id in ids), key=lambda h: (not h.tenant, h.id != told.id)
        )
        kept = before[0] if before else None
        held = Held(
            **told.model_dump(include=set(Held.model_fields)),
            sequence=facts.sequence,
            customer=told.customer,
            tenant=kept.tenant if kept else None,
            joined=kept.joined if kept else None,
        )
        self.state.subscriptions = [*(other for other in self.state.subscriptions if other.id not in ids), held]
        return held

    def _settled(self, held: Held, facts: Facts, refuses: Refusal | None) -> Tenant | None:
        registration, tenant = facts.registration, self.state.tenant(held.tenant)
        if registration is None:
            return tenant
        if tenant is None:
            tenant, held.joined = self._wished(held, facts, registration, refuses)
            held.tenant = tenant.reference
        # What was typed makes nobody a member, and only members are let in without signing in.
        if held.joined != "typed":
            _bring_in(tenant, registration)
        return tenant

    def _wished(
        self, held: Held, facts: Facts, registration: Registration, refuses: Refusal | None
    ) -> tuple[Tenant, Joined]:
        if facts.account.wish == "new":
            return self._made(registration), "made"
        if refuses:
            raise Refused(refuses)
        if facts.account.wish == "add":
            other = self.state.subscription(facts.account.subscription_id)
            return self._found(self.state.tenant(other.tenant) if other else None), "added"
        tenant = self._found(self._typed(facts.account.existing_account or ""))
        self._check(tenant, held, registration)
        return tenant, "typed"

    def _made(self, registration: Registration) -> Tenant:
        slug = slug_of(registration.company)
        reference = _reference(slug)
        while self.state.tenant(reference):
            reference = _reference(slug)
        tenant = Tenant(reference=reference, company=registration.company, slug=slug, members=[])
        self.state.tenants.append(tenant)
        return tenant

    def _found(self, tenant: Tenant | None) -> Tenant:
        if tenant is None:
            raise Refused("not_found")
        return tenant

    def _typed(self, account: str) -> Tenant | None:
        """Return the tenant whose reference, or a member's e-mail address, the buyer has typed."""
        typed = account.strip().casefold()
        return next(
            (t for t in self.state.tenants if typed in (t.reference, *(m.email.casefold() for m in t.members))), None
        )

    def _check(self, tenant: Tenant, held: Held, registration: Registration) -> None:
        # An address that was typed proves nothing: it sorts out mistakes. Before anybody gets in, they sign in.
        if _domain(registration.email) not in {_domain(member.email) for member in tenant.members}:
            raise Refused("not_allowed")
        paying = [other for other in self.subscriptions(tenant) if other.status not in OVER]
        if any(other.customer != held.customer for other in paying):
            raise Refused("already_linked")

    def _remember(self, message_id: str) -> None:
        now = time.time()
        recent = {key: at for key, at in self.state.taken.items() if at > now - TAKEN_SECONDS}
        self.state.taken = recent | {message_id: now}

    def _keep(self) -> None:
        if self._path is not None:
            kept.keep(self.state, self._path)


def slug_of(company: str) -> str:
    """Return a company's name as an address may hold it: a to z, digits and hyphens, never empty."""
    plain = unicodedata.normalize("NFKD", company).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:24].strip("-") or "account"


def _reference(slug: str) -> str:
    return f"{slug}-{''.join(secrets.choice(LETTERS) for _ in range(4))}"


def _is_older(facts: Facts, known: Held) -> bool:
    # Each id counts for itself: whatever comes late under a former id is older than what replaced it.
    return facts.subscription.id != known.id or facts.sequence < known.sequence


def _bring_in(tenant: Tenant, registration: Registration) -> None:
    """Make the registrant a member, or correct who the member is."""
    member = Member(id=registration.id, name=registration.full_name, email=registration.email)
    tenant.members = [other for other in tenant.members if other.id != member.id] + [member]


def _domain(email: str) -> str:
    return email.rpartition("@")[2].casefold()
