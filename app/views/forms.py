"""The sign-up form: what a buyer is asked, and what is accepted."""

import re
from collections.abc import Iterable
from unicodedata import category

from flask_wtf import FlaskForm
from wtforms import EmailField, Field, RadioField, StringField, TelField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # not in its types yet
from wtforms.validators import DataRequired, Email, Length, Optional, Regexp, ValidationError

from app.services.purchases import text
from app.services.signup.other_purchases import OtherPurchase
from app.services.signup.registrations import Answers

# Letters only before an extension's number. Empty is in it: what nobody can see is an answer to Optional.
PHONE_PATTERN = re.compile(r"^((?:[0-9+().\-/ #*,]|(?:ext|x)(?=[. ]{0,2}[0-9])){5,})?$", re.IGNORECASE)
LINE_BREAK = re.compile("\r\n?|[\u2028\u2029]")
# ZWNJ and ZWJ at the edge of a word, where they join nothing.
STRAY_JOINERS = re.compile("(?<![\u200c\u200d])[\u200c\u200d]+(?!\\S)|(?<!\\S)[\u200c\u200d]+")


def clean_single_line(value: str | None) -> str | None:
    """Return the text on one line, without invisible characters and needless spaces."""
    return " ".join(_remove_invisible(value).split()) if value else value


def clean_multiline(value: str | None) -> str | None:
    r"""Return the text without invisible characters and white space around it, each line ended by \n.

    Browsers count a line end as one character and send two.
    """
    return LINE_BREAK.sub("\n", _remove_invisible(value)).strip() if value else value


def clean_phone_number(value: str | None) -> str | None:
    """Return the number on one line, with every kind of dash as a hyphen: contacts lists print the longer ones."""
    line = clean_single_line(value)
    return "".join("-" if category(character) == "Pd" else character for character in line) if line else line


def _remove_invisible(value: str) -> str:
    # No keyboard makes controls; a database refuses some and a terminal obeys others. Format characters can turn
    # the text around them or fill in a field with nothing, but two of them spell words in Persian, Sinhala and emoji.
    kept = (
        character
        for character in value
        if category(character) not in {"Cc", "Cf", "Cs"} or character in "\r\n\t\u200c\u200d"
    )
    return STRAY_JOINERS.sub("", "".join(kept))


def required(message: str) -> DataRequired:
    """Return the rule that the field is filled in."""
    return DataRequired(message)


def max_length(characters: int) -> Length:
    """Return the rule that the answer fits."""
    return Length(max=characters, message=f"Shorten this to {characters} characters or fewer.")


def required_email(message: str) -> list[DataRequired | Length | Email]:
    """Return the rules that the field is filled in, and with an e-mail address."""
    return [required(message), max_length(254), Email("Enter an email address like name@example.com.")]


NEW_ACCOUNT, EXISTING_ACCOUNT = "new", "existing"
NEW_ACCOUNT_CHOICE = SelectChoice(NEW_ACCOUNT, "Make a new account")
EXISTING_ACCOUNT_CHOICE = SelectChoice(EXISTING_ACCOUNT, "Use an account I already have")


def require_existing_account(form: FlaskForm, field: Field) -> None:
    """Ask which account it is, where it is to be one that exists.

    Raises:
        ValidationError: the buyer did not say.
    """
    if form.account.data == EXISTING_ACCOUNT and not field.data:
        raise ValidationError("Enter the account: its name or address, or the email address you sign in with.")


class SignupForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A buyer's contact details, so that the seller can set up the account."""

    company = StringField(
        "Company",
        [required("Enter the name of your company."), max_length(200)],
        filters=[clean_single_line],
        render_kw={"autocomplete": "organization", "dir": "auto"},
    )
    full_name = StringField(
        "Full name",
        [required("Enter your full name."), max_length(200)],
        filters=[clean_single_line],
        render_kw={"autocomplete": "name", "dir": "auto"},
    )
    email = EmailField(
        "Work email",
        required_email("Enter your email address."),
        filters=[clean_single_line],
        render_kw={"autocomplete": "email"},
    )
    phone = TelField(
        "Phone",
        [
            Optional(),
            max_length(50),
            Regexp(PHONE_PATTERN, message="Enter a phone number like +1 555 010 0199, or leave this empty."),
        ],
        filters=[clean_phone_number],
        render_kw={"autocomplete": "tel"},
    )
    account = RadioField(
        "Your account",
        choices=[NEW_ACCOUNT_CHOICE, EXISTING_ACCOUNT_CHOICE],
        default=NEW_ACCOUNT,
        invalid_choice_message="Choose one of these accounts.",  # type: ignore[call-arg]  # not in its types yet
    )
    existing_account = StringField(
        "Which account?",
        [max_length(200), require_existing_account],
        filters=[clean_single_line],
        render_kw={"autocapitalize": "none", "dir": "auto", "spellcheck": "false"},
    )
    notes = TextAreaField(
        "Anything else?",
        [Optional(), max_length(2000)],
        filters=[clean_multiline],
        render_kw={"dir": "auto", "rows": 4},
    )

    def answers(self) -> Answers:
        """Return what the buyer typed, once it is valid."""
        return Answers(
            company=self.company.data or "",
            full_name=self.full_name.data or "",
            email=self.email.data or "",
            phone=self.phone.data or None,
            notes=self.notes.data or None,
            account=self.account.data or NEW_ACCOUNT,
            existing_account=(self.existing_account.data or None) if self.account.data == EXISTING_ACCOUNT else None,
        )

    def set_account_choices(self, other_purchases: Iterable[OtherPurchase], *, asks_account: bool) -> "SignupForm":
        """Ask which account it shall be, with those of the customer's other purchases; or do not ask at all."""
        joining = [
            SelectChoice(str(sibling.subscription_id), _other_purchase_label(sibling)) for sibling in other_purchases
        ]
        offered = [NEW_ACCOUNT_CHOICE, *joining, EXISTING_ACCOUNT_CHOICE] if asks_account else [NEW_ACCOUNT_CHOICE]
        self.account.choices = list(offered)
        if not asks_account:
            self.account.data = NEW_ACCOUNT
        return self


def _other_purchase_label(other_purchase: OtherPurchase) -> str:
    named = f" ({other_purchase.reference})" if other_purchase.reference else ""
    if other_purchase.company is None or other_purchase.registered_at is None:
        return f"Add it to the account of your other purchase{named}"
    registered_at = text.format_date_time(other_purchase.registered_at)
    return f"Add it to the account of {other_purchase.company}{named}, registered on {registered_at}"
