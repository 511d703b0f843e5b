"""Writes the mails to buyers, to invited colleagues and to the seller.

Each mail has a folder in templates/mail with its subject, its text, and its HTML.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from app.config.products import Product
from app.languages import formats, speech, templates
from app.languages.speech import gettext
from app.languages.table import ENGLISH, Language
from app.mail import message
from app.services.delivery import mail_look
from app.services.delivery.usage_problems import UsageFault, UsageProblems
from app.services.outbox.payload import Account, Answer, Registration, Subscription
from app.text import ZERO_WIDTH_JOINERS, clean_multiline_text, clean_single_line

TEMPLATES_DIRECTORY = Path(__file__).parents[3] / "templates" / "mail"
# These are sent also while AWS has not resolved the purchase, so that the product may be unknown.
PRODUCT_OPTIONAL = {"buyer_resume", "colleague_invited"}
MAX_SUBJECT_LENGTH = 150
# The longest customer name in a subject: a longer one is cut, so that the verb and the product stay in it.
MAX_NAME_LENGTH = 80
EXTRA_BLANK_LINES = re.compile(r"\n{3,}")
# Mail programs make a link of such text.
LINK_PATTERN = re.compile(r"://|@|\w[.\u3002\uff0e\uff61]\w")
PartT = TypeVar("PartT", Registration, Account)


@dataclass(frozen=True, kw_only=True)
class MailContext:
    """The values for the templates; a template leaves out what is None.

    `product` is None while AWS has not resolved the purchase. `link` is a whole URL: of the registration's progress, of
    the saved answers, or of an invitation; it works until `expires_at`. `to` is an invited colleague's address.
    `handoff` is one that the product did not accept: its `id` and `type`, since when it was tried (`since`), how often
    (`tries`), and why the last try failed (`fault`). A mail about a product's usage has `usage_problems`, or
    `usage_fault`. `language` is the recipient's; the seller's mails are in English.
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
    handoff: dict[str, Any] | None = None
    usage_problems: UsageProblems | None = None
    usage_fault: UsageFault | None = None
    language: Language = ENGLISH


def compose(template: str, context: MailContext) -> message.Mail:
    """Return the mail that the template makes of the context.

    Raises:
        MailRefused: there is no address, as after an erasure, or the product is not configured any more.
    """
    if context.product is None and template not in PRODUCT_OPTIONAL:
        raise message.MailRefused("UnknownProduct")
    to, reply_to = _recipient_and_reply_to(template, context)
    if to is None:
        raise message.MailRefused("NobodyToSendTo")
    language = ENGLISH if template.startswith("seller_") else context.language
    with speech.use(language, context.product.texts if context.product else None):
        variables = _template_variables(context) | {"reply_to": reply_to}
        subject, text, html = (
            ENVIRONMENT.get_template(f"{template}/{part}").render(variables)
            for part in ("subject.txt", "body.txt", "body.html")
        )
    subject = _shorten(" ".join(subject.split()), MAX_SUBJECT_LENGTH)
    # A part that a template leaves out would leave its blank lines.
    return message.Mail(to, subject, EXTRA_BLANK_LINES.sub("\n\n", text).strip() + "\n", html, reply_to)


def _recipient_and_reply_to(template: str, context: MailContext) -> tuple[str | None, str | None]:
    buyer = context.registration.email if context.registration else None
    support = context.product.support_email if context.product else None
    if template.startswith("seller_"):
        to = context.product.notify_email or support if context.product else None
        reply_to = buyer if template == "seller_registered" else None
    else:
        to, reply_to = (context.to if template.startswith("colleague_") else buyer), support
    return to, reply_to if reply_to and message.is_valid_reply_to(reply_to) else None


def _template_variables(context: MailContext) -> dict[str, object]:
    registration = _clean(context.registration)
    answers = [_clean_answer(answer) for answer in context.registration.answers] if context.registration else []
    company, full_name = (registration.company, registration.full_name) if registration else (None, None)
    # Templates call the global language(), which a variable of this name would hide.
    variables = {name: value for name, value in vars(context).items() if name != "language"}
    return variables | {
        "registration": registration,
        "answers": answers,
        "short_answers": [answer for answer in answers if _is_harmless(answer)],
        "look": mail_look.of_product(context.product, context.site_url),
        "account": _clean(context.account),
        "product_name": clean_single_line(context.product.name) if context.product else "",
        "greeting": _greet(full_name),
        "company": company if company and is_link_free(company) else None,
        "customer_name": company if registration else _customer_name(context.subscription),
    }


def _greet(full_name: str | None) -> str:
    if full_name and is_link_free(full_name):
        # TRANSLATORS: the salutation of a mail, with the buyer's full name
        return gettext("Hello %(name)s,", name=formats.isolated(full_name))
    return gettext("Hello,")


def is_link_free(text: str) -> bool:
    """Return whether no mail program makes a link of the text.

    Anyone can enter another person's address: a name such as `win.example` must not send that person a link.
    """
    # Mail programs ignore joiners, which are invisible.
    return LINK_PATTERN.search(text.translate(dict.fromkeys(map(ord, ZERO_WIDTH_JOINERS)))) is None


def _clean(part: PartT | None) -> PartT | None:
    """Return the buyer's or the product's text without invisible characters, and on one line except for the notes."""
    if part is None:
        return None
    cleaned: dict[str, Any] = {
        name: (clean_multiline_text(text) if name == "notes" else clean_single_line(text)) or None
        for name, text in vars(part).items()
        if isinstance(text, str)
    }
    return replace(part, **cleaned)


def _clean_answer(answer: Answer) -> Answer:
    clean = clean_multiline_text if answer.type == "long_text" else clean_single_line
    return replace(answer, label=clean_single_line(answer.label), text=clean(answer.text))


def _is_harmless(answer: Answer) -> bool:
    """Return whether the answer may go to the address that somebody entered: a stranger may have written it."""
    return answer.type not in {"long_text", "url", "email"} and is_link_free(answer.text)


def _customer_name(subscription: Subscription | None) -> str:
    if subscription is None:
        return "A customer"
    if subscription.customer_aws_account_id:
        return f"AWS account {subscription.customer_aws_account_id}"
    return f"Customer {subscription.customer_identifier}"


def _shorten(text: str, max_length: int = MAX_NAME_LENGTH) -> str:
    return text if len(text) <= max_length else f"{text[: max_length - 1]}…"


ENVIRONMENT = Environment(
    loader=FileSystemLoader(TEMPLATES_DIRECTORY),
    autoescape=select_autoescape(["html"], default=False),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
ENVIRONMENT.filters["short"] = _shorten
templates.init_environment(ENVIRONMENT)
