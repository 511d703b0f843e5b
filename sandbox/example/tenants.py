"""Creates, links and updates tenants from hand-offs, in whatever order these arrive."""

import re
import secrets
import threading
import time
import unicodedata
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from sandbox import state_file
from sandbox.example import state
from sandbox.example.handoffs import Handoff, Payload, RefusalReason, Registration
from sandbox.example.state import JoinMethod, Member, State, StoredSubscription, Tenant, UsageItem

# Foyer retries for three days, so a webhook-id is not sent again after that.
HANDOFF_ID_TTL_SECONDS = 4 * 24 * 3600
# Without the letters and digits that are easily confused when a customer reads a reference aloud.
REFERENCE_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
FINAL_STATUSES = ("ended", "failed")


class LinkRefused(Exception):
    """The account that the buyer asks for cannot be linked."""

    def __init__(self, reason: RefusalReason) -> None:
        super().__init__(reason)
        self.reason = reason


class AssertionReused(Exception):
    """The assertion has been used before."""


class Tenants:
    """Every tenant and subscription, saved to a file if there is a path. Thread-safe."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.state = state.load(path)

    def apply_handoff(self, message_id: str, handoff: Handoff, refusal: RefusalReason | None = None) -> Tenant | None:
        """Apply a hand-off, and return the tenant of its subscription, or None as long as there is no registration.

        A repeated or stale hand-off changes nothing. `refusal` refuses every link to an existing account.

        Raises:
            LinkRefused: the account that the buyer asks for cannot be linked.
        """
        with self._lock:
            stored = self.state.subscription(handoff.data.subscription.id)
            if stored and (message_id in self.state.taken or _is_stale(handoff.data, stored)):
                return self.state.tenant(stored.tenant)
            subscription = self._upsert_subscription(handoff.data)
            try:
                tenant = self._assign_tenant(subscription, handoff.data, refusal)
                # Skipped after a refusal, so that a retry of the hand-off is checked again.
                self._record_handoff_id(message_id)
            finally:
                self._save()
        return tenant

    def consume_assertion(self, assertion_id: str, ends_at: float) -> None:
        """Record that an assertion has been used. `ends_at`, in Unix seconds, is when the record may be deleted.

        Raises:
            AssertionReused: it has been used before.
        """
        with self._lock:
            if assertion_id in self.state.used:
                raise AssertionReused
            now = time.time()
            self.state.used = {key: end for key, end in self.state.used.items() if end > now} | {assertion_id: ends_at}
            self._save()

    def subscriptions(self, tenant: Tenant) -> list[StoredSubscription]:
        """Return the subscriptions of a tenant, latest first."""
        return [s for s in self.state.subscriptions[::-1] if s.tenant == tenant.reference]

    def record_usage(self, subscription: StoredSubscription, dimension: str, quantity: str, at: datetime) -> None:
        """Store that a customer used something, before it is sent."""
        item = UsageItem(
            id=str(uuid4()),
            subscription=subscription.id,
            product_code=subscription.product_code,
            license=subscription.license_arn or subscription.customer or "",
            dimension=dimension,
            quantity=quantity,
            at=at,
        )
        with self._lock:
            self.state.usage.append(item)
            self._save()

    def unsent_usage(self) -> list[UsageItem]:
        """Return the usage that Foyer has not taken yet, oldest first."""
        with self._lock:
            return [item for item in self.state.usage if item.state == "unsent"]

    def usage_of(self, subscription: StoredSubscription) -> list[UsageItem]:
        """Return the usage of a subscription, latest first."""
        ids = (subscription.id, *subscription.former_ids)
        return [item for item in self.state.usage[::-1] if item.subscription in ids]

    def apply_verdicts(self, verdicts: dict[str, tuple[str, str | None]]) -> None:
        """Store Foyer's verdicts and their details, by the items' ids."""
        with self._lock:
            self.state.usage = [
                item.model_copy(update=dict(zip(("state", "detail"), verdicts[item.id], strict=True)))
                if item.id in verdicts
                else item
                for item in self.state.usage
            ]
            self._save()

    def reset(self) -> None:
        """Restore the initial state."""
        with self._lock:
            self.state = State()
            self._save()

    def _upsert_subscription(self, payload: Payload) -> StoredSubscription:
        """Replace the stored subscription, and those it was merged from, by the payload's; return it."""
        incoming = payload.subscription
        ids = {incoming.id, *incoming.former_ids}
        # After a merge, the tenant comes from the record that has one; if several do, from the one with this id.
        replaced = sorted(
            (s for s in self.state.subscriptions if s.id in ids), key=lambda s: (not s.tenant, s.id != incoming.id)
        )
        previous = replaced[0] if replaced else None
        subscription = StoredSubscription(
            **incoming.model_dump(include=set(StoredSubscription.model_fields)),
            sequence=payload.sequence,
            customer=incoming.customer,
            tenant=previous.tenant if previous else None,
            joined=previous.joined if previous else None,
        )
        self.state.subscriptions = [*(s for s in self.state.subscriptions if s.id not in ids), subscription]
        return subscription

    def _assign_tenant(
        self, subscription: StoredSubscription, payload: Payload, refusal: RefusalReason | None
    ) -> Tenant | None:
        registration, tenant = payload.registration, self.state.tenant(subscription.tenant)
        if registration is None:
            return tenant
        if tenant is None:
            tenant, subscription.joined = self._requested_tenant(subscription, payload, registration, refusal)
            subscription.tenant = tenant.reference
        # Typing an account's name does not make the buyer a member, and only members enter without signing in.
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
        """Return the tenant with this reference, or with a member of this e-mail address."""
        name = account.strip().casefold()
        return next(
            (t for t in self.state.tenants if name in (t.reference, *(m.email.casefold() for m in t.members))), None
        )

    def _check_linkable(self, tenant: Tenant, subscription: StoredSubscription, registration: Registration) -> None:
        # A typed e-mail address proves nothing; this check only catches mistakes. Buyers still have to sign in.
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
    """Return a company's name for use in a URL: a to z, digits and hyphens, at most 24 characters, never empty."""
    plain = unicodedata.normalize("NFKD", company).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:24].strip("-") or "account"


def _new_reference(slug: str) -> str:
    return f"{slug}-{''.join(secrets.choice(REFERENCE_ALPHABET) for _ in range(4))}"


def _is_stale(payload: Payload, stored: StoredSubscription) -> bool:
    # Sequences are counted per subscription id. A hand-off under a former id is older than the merge.
    return payload.subscription.id != stored.id or payload.sequence < stored.sequence


def _upsert_member(tenant: Tenant, registration: Registration) -> None:
    """Add the registrant to the members, or replace their earlier name and e-mail address."""
    member = Member(id=registration.id, name=registration.full_name, email=registration.email)
    tenant.members = [other for other in tenant.members if other.id != member.id] + [member]


def _email_domain(email: str) -> str:
    return email.rpartition("@")[2].casefold()
