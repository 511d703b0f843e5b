"""The sign-up form: what a buyer is asked, and what is accepted."""

from unicodedata import category

from flask_wtf import FlaskForm
from wtforms import EmailField, StringField, TelField, TextAreaField
from wtforms.validators import DataRequired, Email, Length, Optional, Regexp

from app.services.registrations import Answers

PHONE = r"^[0-9+().\-/ x#*]{5,50}$"


def one_line(value: str | None) -> str | None:
    """Return the text on one line, without control characters and needless spaces."""
    return " ".join(_without_controls(value).split()) if value else value


def lines(value: str | None) -> str | None:
    """Return the text without control characters but line ends, and without white space around it."""
    return _without_controls(value).strip() if value else value


def _without_controls(value: str) -> str:
    # No keyboard makes them; a database refuses some and a terminal obeys others.
    return "".join(character for character in value if category(character) not in {"Cc", "Cs"} or character in "\r\n\t")


def needed(message: str) -> DataRequired:
    """Return the rule that the field is filled in."""
    return DataRequired(message)


def at_most(length: int) -> Length:
    """Return the rule that the answer fits."""
    return Length(max=length, message=f"Shorten this to {length} characters or fewer.")


class SignupForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A buyer's contact details, so that the seller can set up the account."""

    company = StringField(
        "Company",
        [needed("Enter the name of your company."), at_most(200)],
        filters=[one_line],
        render_kw={"autocomplete": "organization"},
    )
    full_name = StringField(
        "Full name",
        [needed("Enter your full name."), at_most(200)],
        filters=[one_line],
        render_kw={"autocomplete": "name"},
    )
    email = EmailField(
        "Work email",
        [
            needed("Enter your email address."),
            at_most(254),
            Email("Enter an email address like name@example.com."),
        ],
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
        filters=[one_line],
        render_kw={"autocomplete": "tel"},
    )
    notes = TextAreaField(
        "Anything else?",
        [Optional(), at_most(2000)],
        filters=[lines],
        render_kw={"rows": 4},
    )

    def answers(self) -> Answers:
        """Return what the buyer typed, once it is valid."""
        return Answers(
            company=self.company.data or "",
            full_name=self.full_name.data or "",
            email=self.email.data or "",
            phone=self.phone.data or None,
            notes=self.notes.data or None,
        )
