"""The forms: what a buyer or a colleague is asked, and which answers are accepted."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from flask_wtf import FlaskForm
from sqlalchemy import Row
from wtforms import EmailField, Field, RadioField, StringField, TelField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # not in its types yet
from wtforms.validators import DataRequired, Email, Length, Optional, ValidationError

from app import text
from app.errors import DatabaseUnavailable
from app.services.signup.registrations import Answers

T = TypeVar("T")
MAX_NOTES_LENGTH = 2000
# SMTP's limit (RFC 5321, 4.5.3.1.1).
MAX_LOCAL_PART_LENGTH = 64
NEW_ACCOUNT, EXISTING_ACCOUNT = "new", "existing"
NEW_ACCOUNT_CHOICE = SelectChoice(NEW_ACCOUNT, "Create a new account")
EXISTING_ACCOUNT_CHOICE = SelectChoice(EXISTING_ACCOUNT, "Use an account I already have")


def max_length(characters: int) -> Length:
    """Return the rule against an answer of more characters.

    The field has no `maxlength`: with it, a browser cuts off what the buyer pastes and does not say so.
    """
    rule = Length(max=characters, message=f"Shorten this to {characters} characters or fewer.")
    rule.field_flags = {}
    return rule


def name_rules(message: str) -> list[DataRequired | Length]:
    """Return the rules of a person's or a company's name: filled in, and of at most 200 characters."""
    return [DataRequired(message), max_length(200)]


def limit_local_part(_: object, field: Field) -> None:
    """Refuse an address that no mail server accepts, because its part before the @ is too long."""
    if len((field.data or "").rpartition("@")[0]) > MAX_LOCAL_PART_LENGTH:
        raise ValidationError(f"Shorten the part before the @ to {MAX_LOCAL_PART_LENGTH} characters or fewer.")


def email_field(label: str, empty_message: str, autocomplete: str) -> EmailField:
    """Return the field of an address: filled in, within RFC 5321's lengths, and shaped like an address."""
    is_email = Email("Enter an email address like name@example.com.")
    rules = [DataRequired(empty_message), max_length(254), is_email, limit_local_part]
    return text_field(EmailField, label, rules, text.clean_email, autocomplete=autocomplete)


def text_field(
    kind: Callable[..., T], label: str, rules: Sequence[object], clean: object = text.clean_answer, **attributes: object
) -> T:
    """Return a field whose answer is cleaned before it is checked, with the HTML attributes given."""
    return kind(label, rules, filters=[clean], render_kw=attributes)


class SignupForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """The buyer's contact details, with which the seller sets up the account."""

    company = text_field(
        StringField, "Company", name_rules("Enter the name of your company."), autocomplete="organization", dir="auto"
    )
    full_name = text_field(
        StringField, "Full name", name_rules("Enter your full name."), autocomplete="name", dir="auto"
    )
    email = email_field("Work email", "Enter your email address.", autocomplete="email")
    # Any spelling: an answer that the buyer need not give must not keep them from registering.
    phone = text_field(TelField, "Phone", [Optional(), max_length(50)], text.clean_phone_number, autocomplete="tel")
    account = RadioField(
        "Your account",
        choices=[NEW_ACCOUNT_CHOICE, EXISTING_ACCOUNT_CHOICE],
        default=NEW_ACCOUNT,
        invalid_choice_message="Choose one of these accounts.",  # type: ignore[call-arg]  # not in its types yet
    )
    existing_account = text_field(
        StringField, "Which account?", [max_length(200)], autocapitalize="none", dir="auto", spellcheck="false"
    )
    notes = text_field(
        TextAreaField,
        "Anything else?",
        [Optional(), max_length(MAX_NOTES_LENGTH)],
        text.clean_multiline_answer,
        dir="auto",
        rows=4,
    )

    def validate_existing_account(self, field: Field) -> None:
        """Require the account's name where the buyer chose an existing one."""
        if self.account.data == EXISTING_ACCOUNT and not field.data:
            raise ValidationError("Enter the account: its name or address, or the email address you sign in with.")

    def answers(self) -> Answers:
        """Return the answers of a valid form."""
        names = ("company", "full_name", "email", "phone", "notes")
        typed: dict[str, Any] = {name: self[name].data or None for name in names}
        account = self.account.data or NEW_ACCOUNT
        existing_account = self.existing_account.data or None if account == EXISTING_ACCOUNT else None
        return Answers(**typed, account=account, existing_account=existing_account)

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
        return [SelectChoice(chosen, "Add it to the account of your other purchase")]


class InvitationForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """The colleague whom a purchaser asks to set up the account."""

    # Without autocomplete: a browser would fill in the purchaser's own.
    email = email_field("Your colleague’s email", "Enter your colleague’s email address.", autocomplete="off")


class ResumeForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """The address that a buyer registered with, to get the other answers back."""

    email = email_field("Work email", "Enter the email address that you registered with.", autocomplete="email")


class ButtonForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A form of one button: its CSRF token proves that one of our pages sent it."""


def _other_purchase_label(other: Row[Any]) -> str:
    reference = f" ({other.reference})" if other.reference else ""
    if other.company is None:
        return f"Add it to the account of your other purchase{reference}"
    registered_at = f"{text.format_date(other.created_at)}, {text.format_time(other.created_at)}"
    return f"Add it to the account of {other.company}{reference}, registered on {registered_at}"
