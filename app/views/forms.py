"""The forms: what a buyer or a colleague is asked, and which answers are accepted."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, TypeVar

from flask_wtf import FlaskForm
from sqlalchemy import Row
from wtforms import EmailField, Field, RadioField, StringField, TelField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # not in its types yet
from wtforms.validators import DataRequired, Email, Length, Optional, ValidationError

from app import text
from app.config.questions import PLACEABLE
from app.errors import DatabaseUnavailable
from app.languages import formats, speech
from app.languages.speech import LazyText, lazy_gettext, lazy_ngettext
from app.services.signup.registrations import Answers

T = TypeVar("T")
MAX_NOTES_LENGTH = 2000
# SMTP's limit (RFC 5321, 4.5.3.1.1).
MAX_LOCAL_PART_LENGTH = 64
NEW_ACCOUNT, EXISTING_ACCOUNT = "new", "existing"
NEW_ACCOUNT_CHOICE = SelectChoice(NEW_ACCOUNT, lazy_gettext("Create a new account"))
EXISTING_ACCOUNT_CHOICE = SelectChoice(EXISTING_ACCOUNT, lazy_gettext("Use an account I already have"))


def max_length(characters: int) -> Length:
    """Return the rule against an answer of more characters.

    The field has no `maxlength`: with it, a browser cuts off what the buyer pastes and does not say so.
    """
    message = lazy_ngettext(
        "Shorten this to %(most)s character or fewer.",
        "Shorten this to %(most)s characters or fewer.",
        characters,
        most=characters,
    )
    rule = Length(max=characters, message=message)  # type: ignore[arg-type]  # WTForms shows it by str()
    rule.field_flags = {}
    return rule


def required(message: LazyText) -> DataRequired:
    """Return the rule that the answer is filled in."""
    return DataRequired(message)  # type: ignore[arg-type]  # WTForms shows it by str()


def name_rules(message: LazyText) -> list[DataRequired | Length]:
    """Return the rules of a person's or a company's name: filled in, and of at most 200 characters."""
    return [required(message), max_length(200)]


def limit_local_part(_: object, field: Field) -> None:
    """Refuse an address that no mail server accepts, because its part before the @ is too long."""
    if len((field.data or "").rpartition("@")[0]) > MAX_LOCAL_PART_LENGTH:
        raise ValidationError(
            speech.ngettext(
                "Shorten the part before the @ to %(most)s character or fewer.",
                "Shorten the part before the @ to %(most)s characters or fewer.",
                MAX_LOCAL_PART_LENGTH,
                most=MAX_LOCAL_PART_LENGTH,
            )
        )


def email_field(label: LazyText, empty_message: LazyText, autocomplete: str) -> EmailField:
    """Return the field of an address: filled in, within RFC 5321's lengths, and shaped like an address."""
    is_email = Email(lazy_gettext("Enter an email address like name@example.com."))  # type: ignore[arg-type]
    rules = [required(empty_message), max_length(254), is_email, limit_local_part]
    return text_field(EmailField, label, rules, text.clean_email, autocomplete=autocomplete, dir="ltr")


def text_field(
    kind: Callable[..., T],
    label: LazyText,
    rules: Sequence[object],
    clean: object = text.clean_answer,
    **attributes: object,
) -> T:
    """Return a field whose answer is cleaned before it is checked, with the HTML attributes given."""
    return kind(label, rules, filters=[clean], render_kw=attributes)


class SignupForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """The buyer's contact details, with which the seller sets up the account."""

    company = text_field(
        StringField,
        lazy_gettext("Company"),
        name_rules(lazy_gettext("Enter the name of your company.")),
        autocomplete="organization",
        dir="auto",
    )
    full_name = text_field(
        StringField,
        lazy_gettext("Full name"),
        name_rules(lazy_gettext("Enter your full name.")),
        autocomplete="name",
        dir="auto",
    )
    email = email_field(lazy_gettext("Work email"), lazy_gettext("Enter your email address."), autocomplete="email")
    # Any spelling: an answer that the buyer need not give must not keep them from registering.
    phone = text_field(
        TelField,
        lazy_gettext("Phone"),
        [Optional(), max_length(50)],
        text.clean_phone_number,
        autocomplete="tel",
        dir="ltr",
    )
    account = RadioField(
        lazy_gettext("Your account"),  # type: ignore[arg-type]  # WTForms shows it by str()
        choices=[NEW_ACCOUNT_CHOICE, EXISTING_ACCOUNT_CHOICE],
        default=NEW_ACCOUNT,
        invalid_choice_message=lazy_gettext("Choose one of these accounts."),  # type: ignore[call-arg]
    )
    existing_account = text_field(
        StringField,
        lazy_gettext("Which account?"),
        [max_length(200)],
        autocapitalize="none",
        dir="auto",
        spellcheck="false",
    )
    notes = text_field(
        TextAreaField,
        lazy_gettext("Anything else?"),
        [Optional(), max_length(MAX_NOTES_LENGTH)],
        text.clean_multiline_answer,
        dir="auto",
        rows=4,
    )

    def validate_existing_account(self, field: Field) -> None:
        """Require the account's name where the buyer chose an existing one."""
        if self.account.data == EXISTING_ACCOUNT and not field.data:
            message = speech.gettext("Enter the account: its name or address, or the email address you sign in with.")
            raise ValidationError(message)

    # What stands after the address, as on the page.
    order: ClassVar[tuple[str, ...]] = PLACEABLE

    def answers(self, earlier: Answers | None = None) -> Answers:
        """Return the answers of a valid form; of the buyer's earlier ones, it keeps those that it does not show."""
        names = ("company", "full_name", "email", "phone", "notes")
        typed: dict[str, Any] = {
            name: self[name].data or None if name in self else getattr(earlier, name, None) for name in names
        }
        own = self.own_answers()
        own_ids = {answer["id"] for answer in own}
        kept = (answer for answer in (earlier.answers if earlier else ()) if answer["id"] not in own_ids)
        typed["answers"] = [*own, *(answer for answer in kept if not self.shows(answer))]
        account = self.account.data or NEW_ACCOUNT
        existing_account = self.existing_account.data or None if account == EXISTING_ACCOUNT else None
        language = speech.language().code
        return Answers(**typed, account=account, existing_account=existing_account, language=language)

    def own_answers(self) -> list[dict[str, Any]]:
        """Return the answers to the product's own questions, as they are stored."""
        return []

    def shows(self, answer: dict[str, Any]) -> bool:  # noqa: ARG002
        """Return whether the buyer sees this stored answer to a question of the product's own."""
        return False

    def offer_new_account_alone(self) -> None:
        """Do not ask for the account to use: it is a new one, whatever the browser sends."""
        self.account.choices, self.account.data = [NEW_ACCOUNT_CHOICE], NEW_ACCOUNT

    def offer_accounts_of(self, find_others: Callable[[], Iterable[Row[Any]]]) -> None:
        """Add the accounts of the customer's other purchases: found only where the page shows them or one is chosen.

        While the database is down, the page offers the other choices, and keeps one that was made before.
        """

        def choices() -> list[SelectChoice]:
            try:
                others = [SelectChoice(str(other.id), _other_purchase_label(other)) for other in find_others()]
            except DatabaseUnavailable as error:
                others = self._unchecked_choice(error)
            return [NEW_ACCOUNT_CHOICE, *others, EXISTING_ACCOUNT_CHOICE]

        self.account.choices = choices  # type: ignore[assignment]  # a callable is not in its types yet
        self.account.validate_choice = self.account.data != NEW_ACCOUNT

    def _unchecked_choice(self, error: DatabaseUnavailable) -> list[SelectChoice]:
        """Return the other purchase that the buyer chose; raise the error where it would be stored."""
        chosen = self.account.data
        if chosen in {NEW_ACCOUNT, EXISTING_ACCOUNT}:
            return []
        if self.is_submitted():
            raise error
        return [SelectChoice(chosen, speech.gettext("Add it to the account of your other purchase"))]


class InvitationForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """The colleague whom a purchaser asks to set up the account."""

    # Without autocomplete: a browser would fill in the purchaser's own.
    email = email_field(
        lazy_gettext("Your colleague’s email"),
        lazy_gettext("Enter your colleague’s email address."),
        autocomplete="off",
    )


class ResumeForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """The address that a buyer registered with, to get the other answers back."""

    email = email_field(
        lazy_gettext("Work email"),
        lazy_gettext("Enter the email address that you registered with."),
        autocomplete="email",
    )


class ButtonForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A form of one button: its CSRF token proves that one of our pages sent it."""


def _other_purchase_label(other: Row[Any]) -> str:
    company, reference = formats.isolated(other.company), formats.isolated(other.reference)
    if company and reference:
        # TRANSLATORS: %(reference)s is the product's own name for the account
        return speech.gettext(
            "Add it to the account of %(company)s (%(reference)s), registered on %(moment)s",
            company=company,
            reference=reference,
            moment=formats.day_and_time(other.created_at),
        )
    if company:
        return speech.gettext(
            "Add it to the account of %(company)s, registered on %(moment)s",
            company=company,
            moment=formats.day_and_time(other.created_at),
        )
    if reference:
        # TRANSLATORS: %(reference)s is the product's own name for the account
        return speech.gettext("Add it to the account of your other purchase (%(reference)s)", reference=reference)
    return speech.gettext("Add it to the account of your other purchase")
