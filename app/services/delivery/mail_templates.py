"""Letters: what buyers, their colleagues and the seller's people read in their mail.

Each has a folder in templates/mail: its subject, its text, and the same as HTML.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from app.config.products import Product
from app.mail import message
from app.mail.message import Mail, MailRefused
from app.services.outbox.payload import Account, Registration, Subscription
from app.services.purchases.text import JOINERS, clock, day, lines, one_line

TEMPLATES = Path(__file__).parents[3] / "templates" / "mail"
NAMES = tuple(sorted(folder.name for folder in TEMPLATES.iterdir() if folder.is_dir()))
# Written while AWS may not have told yet which product it is.
WITHOUT_PRODUCT = {"buyer_resume", "colleague_invited"}
LONGEST_SUBJECT = 150
BLANKS = re.compile(r"\n{3,}")
# What a mail program makes a link of.
LINK_LIKE = re.compile(r"://|@|\w[.\u3002\uff0e\uff61]\w")


@dataclass(frozen=True)
class FailedHandoff:
    """A hand-off that the product did not take: since when it was tried, how often, and why the latest try failed."""

    id: UUID
    type: str
    since: datetime
    tries: int
    fault: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What letters can tell of; each takes what it needs, and leaves out what is None.

    `product` is None where AWS has not told yet which it is. `link` is a whole URL: of the page that shows how far a
    buyer has come, of the way back to a registration, or of an invitation; `expires_at` is when it ends. `to` is the
    address of an invited colleague.
    """

    product: Product | None
    site_url: str
    happened_at: datetime
    registration: Registration | None = None
    subscription: Subscription | None = None
    account: Account | None = None
    to: str | None = None
    link: str | None = None
    expires_at: datetime | None = None
    handoff: FailedHandoff | None = None


def compose(name: str, facts: Facts) -> Mail:
    """Return the letter of that name about the facts.

    Raises:
        MailRefused: there is nobody to send it to, as after an erasure, or the product is not configured any more.
    """
    if facts.product is None and name not in WITHOUT_PRODUCT:
        raise MailRefused("UnknownProduct")
    to, reply_to = _addressees(name, facts)
    if to is None:
        raise MailRefused("NobodyToSendTo")
    about = _words(facts) | {"reply_to": reply_to}
    subject = one_line(_rendered(f"{name}/subject.txt", about))
    if len(subject) > LONGEST_SUBJECT:
        subject = f"{subject[: LONGEST_SUBJECT - 1]}…"
    # What is left out leaves its empty lines.
    text = BLANKS.sub("\n\n", _rendered(f"{name}/body.txt", about)).strip() + "\n"
    return Mail(to, subject, text, _rendered(f"{name}/body.html", about), reply_to)


def _addressees(name: str, facts: Facts) -> tuple[str | None, str | None]:
    """Return to whom the letter goes and to whom an answer goes, if it can be led there: else to whom it comes from."""
    buyer = facts.registration.email if facts.registration else None
    support = facts.product.support_email if facts.product else None
    if name.startswith("seller_"):
        to = facts.product.notify_email or support if facts.product else None
        reply_to = buyer if name == "seller_registered" else None
    else:
        to, reply_to = (facts.to if name.startswith("colleague_") else buyer), support
    return to, reply_to if reply_to and message.takes_answers(reply_to) else None


def _words(facts: Facts) -> dict[str, object]:
    """Return the facts for the templates, with nothing in anybody's words that breaks a line or cannot be seen."""
    registration = _registration(facts.registration)
    known = {name: getattr(facts, name) for name in Facts.__dataclass_fields__}
    return known | {
        "registration": registration,
        "account": _account(facts.account),
        "product_name": one_line(facts.product.name) if facts.product else "your product",
        "greeting": f"Hello {registration.full_name}" if registration and is_plain(registration.full_name) else "Hello",
        "company": registration.company if registration and is_plain(registration.company) else None,
        "who": registration.company if registration else _customer(facts.subscription),
    }


def is_plain(text: str) -> bool:
    """Return whether no mail program makes a link of the text: who types another's address shall not send them one."""
    # Addresses are read without joiners, which cannot be seen.
    return LINK_LIKE.search(text.translate(dict.fromkeys(map(ord, JOINERS)))) is None


def _registration(registration: Registration | None) -> Registration | None:
    if registration is None:
        return None
    on_one_line = ("company", "full_name", "email", "phone")
    cleaned = {name: one_line(getattr(registration, name) or "") or None for name in on_one_line}
    return registration.model_copy(update=cleaned | {"notes": lines(registration.notes or "").strip() or None})


def _account(account: Account | None) -> Account | None:
    if account is None:
        return None
    words = ("existing_account", "url", "reference")
    return account.model_copy(update={name: one_line(getattr(account, name) or "") or None for name in words})


def _customer(subscription: Subscription | None) -> str:
    if subscription is None:
        return "A customer"
    if subscription.customer_aws_account_id:
        return f"AWS account {subscription.customer_aws_account_id}"
    return f"Customer {subscription.customer_identifier}"


def _rendered(template: str, about: dict[str, object]) -> str:
    return ENVIRONMENT.get_template(template).render(about)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(day=day, clock=clock)
    return environment


ENVIRONMENT = _environment()
