"""Example values for the mail templates, and the rendered mails as text."""

from dataclasses import replace
from typing import Any

from justhtml import JustHTML

from app.config.products import Product
from app.services.delivery import mail_templates
from app.services.delivery.mail_templates import MailContext
from sandbox.gallery import mail_states, mail_values
from tests.support import factories

TEMPLATE_NAMES = mail_states.TEMPLATE_NAMES
NOW, LINK = mail_values.NOW, mail_values.LINK
REGISTRATION, SUBSCRIPTION = mail_values.REGISTRATION, mail_values.SUBSCRIPTION
FAILED_HANDOFF, USAGE_PROBLEMS = mail_values.FAILED_HANDOFF, mail_values.USAGE_PROBLEMS
ACCOUNT_REPLY, NO_ACCOUNT_REPLY = mail_values.ACCOUNT_REPLY, mail_values.NO_ACCOUNT_REPLY
PRODUCT = Product(
    code=factories.PRODUCT_CODE,
    **factories.PRODUCT_FIELDS,
    handoff_url="https://app.acme.example/foyer",
    notify_email="sales@acme.example",
    ready_within="two hours",
)
CONTEXT = replace(mail_values.CONTEXT, product=PRODUCT)


def rendered_html(template: str, context: MailContext = CONTEXT) -> JustHTML:
    """Return the mail's HTML, parsed strictly."""
    return JustHTML(mail_templates.compose(template, context).html, strict=True, sanitize=False)


def context_with(registration: dict[str, Any] | None = None, **values: Any) -> MailContext:
    """Return the example context with other values; `registration` has fields of the registration to replace."""
    return replace(CONTEXT, registration=replace(REGISTRATION, **(registration or {})), **values)


def rendered_texts(template: str, context: MailContext = CONTEXT) -> list[str]:
    """Return the words of the mail's plain text and of its HTML, each on one line."""
    texts = mail_templates.compose(template, context).text, rendered_html(template, context).to_text()
    return [" ".join(text.split()) for text in texts]
