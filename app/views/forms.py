"""The sign-up form: what a buyer is asked, and what is accepted."""

import re
from collections.abc import Iterable
from unicodedata import category

from flask_wtf import FlaskForm
from wtforms import EmailField, Field, RadioField, StringField, TelField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # not in its types yet
from wtforms.validators import DataRequired, Email, Length, Optional, Regexp, ValidationError

from app.services.purchases import text
from app.services.signup.other_purchases import Sibling
from app.services.signup.registrations import Answers

# Letters only before an extension's number. Empty is in it: what nobody can see is an answer to Optional.
PHONE = re.compile(r"^((?:[0-9+().\-/ #*,]|(?:ext|x)(?=[. ]{0,2}[0-9])){5,})?$", re.IGNORECASE)
LINE_END = re.compile("\r\n?|[\u2028\u2029]")
# ZWNJ and ZWJ at the edge of a word, where they join nothing.
IDLE_JOINERS = re.compile("(?<![\u200c\u200d])[\u200c\u200d]+(?!\\S)|(?<!\\S)[\u200c\u200d]+")


def one_line(value: str | None) -> str | None:
    """Return the text on one line, without invisible characters and needless spaces."""
    return " ".join(_visible(value).split()) if value else value


def lines(value: str | None) -> str | None:
    r"""Return the text without invisible characters and white space around it, each line ended by \n.

    Browsers count a line end as one character and send two.
    """
    return LINE_END.sub("\n", _visible(value)).strip() if value else value


def phone_number(value: str | None) -> str | None:
    """Return the number on one line, with every kind of dash as a hyphen: contacts lists print the longer ones."""
    line = one_line(value)
    return "".join("-" if category(character) == "Pd" else character for character in line) if line else line


def _visible(value: str) -> str:
    # No keyboard makes controls; a database refuses some and a terminal obeys others. Format characters can turn
    # the text around them or fill in a field with nothing, but two of them spell words in Persian, Sinhala and emoji.
    kept = (
        character
        for character in value
        if category(character) not in {"Cc", "Cf", "Cs"} or character in "\r\n\t\u200c\u200d"
    )
    return IDLE_JOINERS.sub("", "".join(kept))


def needed(message: str) -> DataRequired:
    """Return the rule that the field is filled in."""
    return DataRequired(message)


def at_most(length: int) -> Length:
    """Return the rule that the answer fits."""
    return Length(max=length, message=f"Shorten this to {length} characters or fewer.")


def an_address(message: str) -> list[DataRequired | Length | Email]:
    """Return the rules that the field is filled in, and with an e-mail address."""
    return [needed(message), at_most(254), Email("Enter an email address like name@example.com.")]


NEW, EXISTING = "new", "existing"
A_NEW_ACCOUNT = SelectChoice(NEW, "Make a new account")
AN_EXISTING_ACCOUNT = SelectChoice(EXISTING, "Use an account I already have")


def named_if_existing(form: FlaskForm, field: Field) -> None:
    """Ask which account it is, where it is to be one that exists.

    Raises:
        ValidationError: the buyer did not say.
    """
    if form.account.data == EXISTING and not field.data:
        raise ValidationError("Enter the account: its name or address, or the email address you sign in with.")


class SignupForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A buyer's contact details, so that the seller can set up the account."""

    company = StringField(
        "Company",
        [needed("Enter the name of your company."), at_most(200)],
        filters=[one_line],
        render_kw={"autocomplete": "organization", "dir": "auto"},
    )
    full_name = StringField(
        "Full name",
        [needed("Enter your full name."), at_most(200)],
        filters=[one_line],
        render_kw={"autocomplete": "name", "dir": "auto"},
    )
    email = EmailField(
        "Work email",
        an_address("Enter your email address."),
        filters=[one_line],
        render_kw={"autocomplete": "email"},
    )
    phone = TelField(
        "Phone",
        [
            Optional(),
            at_most(50),
            Regexp(PHONE, message="Enter a phone number like +1 555 010 0199, or leave this empty."),
        ],
        filters=[phone_number],
        render_kw={"autocomplete": "tel"},
    )
    account = RadioField(
        "Your account",
        choices=[A_NEW_ACCOUNT, AN_EXISTING_ACCOUNT],
        default=NEW,
        invalid_choice_message="Choose one of these accounts.",  # type: ignore[call-arg]  # not in its types yet
    )
    existing_account = StringField(
        "Which account?",
        [at_most(200), named_if_existing],
        filters=[one_line],
        render_kw={"autocapitalize": "none", "dir": "auto", "spellcheck": "false"},
    )
    notes = TextAreaField(
        "Anything else?",
        [Optional(), at_most(2000)],
        filters=[lines],
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
            account=self.account.data or NEW,
            existing_account=(self.existing_account.data or None) if self.account.data == EXISTING else None,
        )

    def offer(self, siblings: Iterable[Sibling], *, asks: bool) -> "SignupForm":
        """Ask which account it shall be, with those of the customer's other purchases; or do not ask at all."""
        joining = [SelectChoice(str(sibling.subscription_id), _joining(sibling)) for sibling in siblings]
        offered = [A_NEW_ACCOUNT, *joining, AN_EXISTING_ACCOUNT] if asks else [A_NEW_ACCOUNT]
        self.account.choices = list(offered)
        if not asks:
            self.account.data = NEW
        return self


def _joining(sibling: Sibling) -> str:
    named = f" ({sibling.reference})" if sibling.reference else ""
    if sibling.company is None or sibling.registered_at is None:
        return f"Add it to the account of your other purchase{named}"
    return f"Add it to the account of {sibling.company}{named}, registered on {text.moment(sibling.registered_at)}"
