"""The forms of invitations: a colleague's address, and single buttons that only our own pages have."""

from flask_wtf import FlaskForm
from wtforms import EmailField

from app.views.forms import clean_single_line, required_email


class InvitationForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """Whom a purchaser asks to set up the account."""

    email = EmailField(
        "Your colleague’s email",
        required_email("Enter your colleague’s email address."),
        filters=[clean_single_line],
        # A browser would fill in the purchaser's own.
        render_kw={"autocomplete": "off"},
    )

    def invitee_email(self) -> str:
        """Return whom to invite, once it is valid."""
        return self.email.data or ""


class ButtonForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A form of one button and nothing to fill in: what it proves is that a page of ours has sent it."""
