"""The forms: what a buyer or a colleague is asked, and which answers are accepted."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from flask_wtf import FlaskForm
from sqlalchemy import Row
from wtforms import EmailField, Field, RadioField, StringField, TelField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # not in its types yet
from wtforms.validators import DataRequired, Email, Length, Optional, Regexp, ValidationError

from app import text
from app.errors import DatabaseUnavailable
from app.services.signup.registrations import Answers

T = TypeVar("T")
# Letters only before an extension's number. Empty matches too: to Optional, invisible characters are an answer.
PHONE_PATTERN = re.compile(r"^((?:[0-9+().\-/ #*,]|(?:ext|x)(?=[. ]{0,2}[0-9])){5,})?$", re.IGNORECASE)
PHONE_RULE = Regexp(PHONE_PATTERN, message="Enter a phone number like +1 555 010 0199, or leave this empty.")
NEW_ACCOUNT, EXISTING_ACCOUNT = "new", "existing"
NEW_ACCOUNT_CHOICE = SelectChoice(NEW_ACCOUNT, "Create a new account")
EXISTING_ACCOUNT_CHOICE = SelectChoice(EXISTING_ACCOUNT, "Use an account I already have")


def max_length(characters: int) -> Length:
    """Return the rule against an answer of more characters."""
    return Length(max=characters, message=f"Shorten this to {characters} characters or fewer.")


def name_rules(message: str) -> list[DataRequired | Length]:
    """Return the rules of a person's or a company's name: filled in, and of at most 200 characters."""
    return [DataRequired(message), max_length(200)]


def email_rules(message: str) -> list[DataRequired | Length | Email]:
    """Return the rules of an email field: filled in, within RFC 5321's length, and shaped like an address."""
    return [DataRequired(message), max_length(254), Email("Enter an email address like name@example.com.")]


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
    email = text_field(EmailField, "Work email", email_rules("Enter your email address."), autocomplete="email")
    phone = text_field(
        TelField, "Phone", [Optional(), max_length(50), PHONE_RULE], text.clean_phone_number, autocomplete="tel"
    )
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
        TextAreaField, "Anything else?", [Optional(), max_length(2000)], text.clean_multiline_answer, dir="auto", rows=4
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
    email = text_field(
        EmailField, "Your colleague’s email", email_rules("Enter your colleague’s email address."), autocomplete="off"
    )


class ButtonForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A form of one button: its CSRF token proves that one of our pages sent it."""


def _other_purchase_label(other: Row[Any]) -> str:
    reference = f" ({other.reference})" if other.reference else ""
    if other.company is None:
        return f"Add it to the account of your other purchase{reference}"
    registered_at = f"{text.format_date(other.created_at)}, {text.format_time(other.created_at)}"
    return f"Add it to the account of {other.company}{reference}, registered on {registered_at}"
