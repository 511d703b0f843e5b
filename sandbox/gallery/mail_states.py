"""The mails in all their states."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product as all_pairs
from typing import Any

from app.config.products import Product
from app.languages.table import ENGLISH, Language
from app.mail.message import Mail
from app.services.delivery import mail_templates
from app.services.delivery.mail_templates import MailContext
from app.services.outbox.payload import Answer
from sandbox.gallery.mail_values import ACCOUNT_REPLY, CONTEXT, NO_ACCOUNT_REPLY, REGISTRATION, SUBSCRIPTION

TO_BUYERS, TO_SELLER = "Mails to buyers", "Mails to you"
TEMPLATE_NAMES = sorted(folder.name for folder in mail_templates.TEMPLATES_DIRECTORY.iterdir() if folder.is_dir())


@dataclass(frozen=True, kw_only=True)
class MailState:
    """A mail in one state. `is_full`: with the account's address and reference, and with names that a mail may show."""

    group: str
    name: str
    template: str
    knows_product: bool = True
    needs_handoffs: bool = False
    is_full: bool = True
    is_trial: bool = False

    def context(self, product: Product | None, language: Language = ENGLISH) -> MailContext:
        """Return what the mail about the product is made of; None while AWS has not said which one it is."""
        names: dict[str, Any] = {} if self.is_full else {"company": "a.b", "full_name": "a.b"}
        code = product.code if product else SUBSCRIPTION.product_code
        return replace(
            CONTEXT,
            language=language,
            product=product,
            account=ACCOUNT_REPLY if self.is_full else NO_ACCOUNT_REPLY,
            subscription=replace(SUBSCRIPTION, product_code=code, free_trial=self.is_trial),
            registration=replace(REGISTRATION, language=language.code, **names),
            expires_at=CONTEXT.expires_at if self.is_trial else None,
        )

    def compose(self, product: Product, language: Language, site_url: str, answers: list[Answer]) -> Mail:
        """Return the mail about the product, with these answers to its questions."""
        context = self.context(product if self.knows_product else None, language)
        registration = replace(context.registration or REGISTRATION, answers=answers)
        return mail_templates.compose(self.template, replace(context, site_url=site_url, registration=registration))


def mail_states() -> Iterator[MailState]:
    """Yield every mail, with and without what it leaves out where it is unknown."""
    for template, is_known, is_full, is_trial in all_pairs(TEMPLATE_NAMES, (True, False), (True, False), (False, True)):
        if not is_known and template not in mail_templates.PRODUCT_OPTIONAL:
            continue
        kind, _, name = template.replace("_", " ").partition(" ")
        yield MailState(
            group=TO_SELLER if kind == "seller" else TO_BUYERS,
            name=f"{'colleague ' if kind == 'colleague' else ''}{name}"
            f"{'' if is_known else ', product unknown'}"
            f"{'' if is_full else ', no account, names left out'}{', trial' if is_trial else ''}",
            template=template,
            knows_product=is_known,
            needs_handoffs="handoff" in template,
            is_full=is_full,
            is_trial=is_trial,
        )


MAIL_STATES = tuple(mail_states())
