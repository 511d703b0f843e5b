"""The product's tenants: made, linked and kept up to date by hand-offs, whatever order these come in."""

import re
import secrets
import threading
import time
import unicodedata
from pathlib import Path

from sandbox import state_file
from sandbox.example import state
from sandbox.example.handoffs import Handoff, Payload, RefusalReason, Registration
from sandbox.example.state import JoinMethod, Member, State, StoredSubscription, Tenant

# Foyer tries for three days: a webhook-id is not seen again after that.
HANDOFF_ID_TTL_SECONDS = 4 * 24 * 3600
# No letters that are taken for digits when a customer reads a reference out.
REFERENCE_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
FINAL_STATUSES = ("ended", "failed")


class LinkRefused(Exception):
    """The account that the buyer wishes for cannot be linked; its argument is the reason."""

    def __init__(self, reason: RefusalReason) -> None:
        super().__init__(reason)
        self.reason = reason


class AssertionReused(Exception):
    """The assertion has let somebody in already."""


class Tenants:
    """Every tenant and subscription, safe to share between threads; with a path, kept in that file."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.state = state.load(path)

    def apply_handoff(self, message_id: str, handoff: Handoff, refusal: RefusalReason | None = None) -> Tenant | None:
        """Return the tenant of the event's subscription after the event, or None while it has none.

        Raises:
            Refused: the buyer wishes for an account that cannot be linked; or no link at all is made at present.
        """
        with self._lock:
            known = self.state.subscription(handoff.data.subscription.id)
            if known and (message_id in self.state.taken or _is_stale(handoff.data, known)):
                return self.state.tenant(known.tenant)
            held = self._upsert_subscription(handoff.data)
            try:
                tenant = self._assign_tenant(held, handoff.data, refusal)
                # Not so after a refusal: whoever sends it again wants it judged anew.
                self._record_handoff_id(message_id)
            finally:
                self._save()
        return tenant

    def consume_assertion(self, assertion_id: str, ends_at: float) -> None:
        """Remember until its end that an assertion has been used.

        Raises:
            UsedBefore: it has been already.
        """
        with self._lock:
            if assertion_id in self.state.used:
                raise AssertionReused
            now = time.time()
            self.state.used = {key: end for key, end in self.state.used.items() if end > now} | {assertion_id: ends_at}
            self._save()

    def subscriptions(self, tenant: Tenant) -> list[StoredSubscription]:
        """Return the subscriptions that pay for a tenant, the latest first."""
        return [held for held in self.state.subscriptions[::-1] if held.tenant == tenant.reference]

    def reset(self) -> None:
        """Forget every tenant and subscription but the first."""
        with self._lock:
            self.state = State()
            self._save()

    def _upsert_subscription(self, payload: Payload) -> StoredSubscription:
        """Put what the event tells of its subscription in place of what is held, and return it."""
        told = payload.subscription
        ids = {told.id, *told.former_ids}
        # Two records that turn out to be one purchase: the one whose account people work in goes on.
        before = sorted(
            (h for h in self.state.subscriptions if h.id in ids), key=lambda h: (not h.tenant, h.id != told.id)
        )
        kept = before[0] if before else None
        held = StoredSubscription(
            **told.model_dump(include=set(StoredSubscription.model_fields)),
            sequence=payload.sequence,
            customer=told.customer,
            tenant=kept.tenant if kept else None,
            joined=kept.joined if kept else None,
        )
        self.state.subscriptions = [*(other for other in self.state.subscriptions if other.id not in ids), held]
        return held

    def _assign_tenant(
        self, subscription: StoredSubscription, payload: Payload, refusal: RefusalReason | None
    ) -> Tenant | None:
        registration, tenant = payload.registration, self.state.tenant(subscription.tenant)
        if registration is None:
            return tenant
        if tenant is None:
            tenant, subscription.joined = self._requested_tenant(subscription, payload, registration, refusal)
            subscription.tenant = tenant.reference
        # What was typed makes nobody a member, and only members are let in without signing in.
        if subscription.joined != "typed":
            _upsert_member(tenant, registration)
        return tenant

    def _requested_tenant(
        self,
        subscription: StoredSubscription,
        payload: Payload,
        registration: Registration,
        refusal: RefusalReason | None,
    ) -> tuple[Tenant, JoinMethod]:
        if payload.account.wish == "new":
            return self._create_tenant(registration), "made"
        if refusal:
            raise LinkRefused(refusal)
        if payload.account.wish == "add":
            other = self.state.subscription(payload.account.subscription_id)
            return self._require(self.state.tenant(other.tenant) if other else None), "added"
        tenant = self._require(self._find_by_account(payload.account.existing_account or ""))
        self._check_linkable(tenant, subscription, registration)
        return tenant, "typed"

    def _create_tenant(self, registration: Registration) -> Tenant:
        slug = slugify(registration.company)
        reference = _new_reference(slug)
        while self.state.tenant(reference):
            reference = _new_reference(slug)
        tenant = Tenant(reference=reference, company=registration.company, slug=slug, members=[])
        self.state.tenants.append(tenant)
        return tenant

    def _require(self, tenant: Tenant | None) -> Tenant:
        if tenant is None:
            raise LinkRefused("not_found")
        return tenant

    def _find_by_account(self, account: str) -> Tenant | None:
        """Return the tenant whose reference, or a member's e-mail address, the buyer has typed."""
        typed = account.strip().casefold()
        return next(
            (t for t in self.state.tenants if typed in (t.reference, *(m.email.casefold() for m in t.members))), None
        )

    def _check_linkable(self, tenant: Tenant, subscription: StoredSubscription, registration: Registration) -> None:
        # An address that was typed proves nothing: it sorts out mistakes. Before anybody gets in, they sign in.
        if _email_domain(registration.email) not in {_email_domain(member.email) for member in tenant.members}:
            raise LinkRefused("not_allowed")
        paying = [other for other in self.subscriptions(tenant) if other.status not in FINAL_STATUSES]
        if any(other.customer != subscription.customer for other in paying):
            raise LinkRefused("already_linked")

    def _record_handoff_id(self, message_id: str) -> None:
        now = time.time()
        recent = {key: at for key, at in self.state.taken.items() if at > now - HANDOFF_ID_TTL_SECONDS}
        self.state.taken = recent | {message_id: now}

    def _save(self) -> None:
        if self._path is not None:
            state_file.save(self.state, self._path)


def slugify(company: str) -> str:
    """Return a company's name as an address may hold it: a to z, digits and hyphens, never empty."""
    plain = unicodedata.normalize("NFKD", company).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:24].strip("-") or "account"


def _new_reference(slug: str) -> str:
    return f"{slug}-{''.join(secrets.choice(REFERENCE_ALPHABET) for _ in range(4))}"


def _is_stale(payload: Payload, stored: StoredSubscription) -> bool:
    # Each id counts for itself: whatever comes late under a former id is older than what replaced it.
    return payload.subscription.id != stored.id or payload.sequence < stored.sequence


def _upsert_member(tenant: Tenant, registration: Registration) -> None:
    """Make the registrant a member, or correct who the member is."""
    member = Member(id=registration.id, name=registration.full_name, email=registration.email)
    tenant.members = [other for other in tenant.members if other.id != member.id] + [member]


def _email_domain(email: str) -> str:
    return email.rpartition("@")[2].casefold()
