"""What options and arguments take, with an error that says what is wanted where a value is no such thing."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from app.cli import ages
from app.services.reports import ids

ACCOUNT_ID = re.compile("[0-9]{12}", re.ASCII)
WHOLE_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
LONGEST = timedelta(days=36500)


class TextType(click.ParamType[Any]):
    """A value that is checked when the command line is read."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value as `parse` returns it; fail with what it says is wanted."""
        try:
            return self.parse(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def parse(self, text: str) -> Any:
        """Return the value; raise ValueError with what is wanted."""
        raise NotImplementedError


class AccountId(TextType):
    """An AWS account id, with or without hyphens."""

    name = "account id"

    def parse(self, text: str) -> str:
        """Return the id without hyphens."""
        digits = text.strip().replace("-", "")
        if not ACCOUNT_ID.fullmatch(digits):
            raise ValueError(f"{text!r} is not an AWS account id: it has 12 digits, as 123456789012 or 1234-5678-9012.")
        return digits


class EmailAddress(TextType):
    """A whole e-mail address."""

    name = "address"

    def parse(self, text: str) -> str:
        """Return the address without surrounding blanks."""
        if not WHOLE_ADDRESS.fullmatch(text.strip()):
            raise ValueError(f"{text!r} is not a whole address, such as ada@example.com. For a part, use --search.")
        return text.strip()


class IdBeginning(TextType):
    """An id of ours, or the beginning of one. The command looks up which."""

    name = "id"

    def parse(self, text: str) -> str:
        """Return the text without surrounding blanks."""
        if not ids.is_beginning(text):
            raise ValueError(f"{text!r} is not an id, such as 01a207c8-85e3-70e1-8187-c3ad0186f92b, or its beginning.")
        return text.strip()


class SearchText(TextType):
    """A part of a company, a name or an e-mail address."""

    name = "text"

    def parse(self, text: str) -> str:
        """Return the text without surrounding blanks."""
        if len(text.strip()) < 2:
            raise ValueError("give at least two characters of a company, a name or an e-mail address.")
        return text.strip()


class Since(TextType):
    """A moment in the past: a date, a time, or how long ago."""

    name = "when"

    def parse(self, text: str) -> datetime:
        """Return the moment."""
        now = datetime.now(UTC)
        if (length := ages.parse_length(text)) is not None and length <= LONGEST:
            return now - length
        moment = ages.parse_moment(text)
        if moment is None:
            raise ValueError(f"{text!r} is neither a date, such as {now:%Y-%m-%d}, nor a time ago, such as 7d or 24h.")
        if moment > now:
            raise ValueError(f"{text!r} is in the future.")
        return moment


class Within(TextType):
    """A moment in the future: how soon, or a date, whose end is meant."""

    name = "when"

    def parse(self, text: str) -> datetime:
        """Return the moment."""
        now = datetime.now(UTC)
        if (length := ages.parse_length(text)) is not None and length <= LONGEST:
            return now + length
        moment = ages.parse_moment(text)
        if moment is None:
            raise ValueError(f"{text!r} is neither a time, such as 30d or 4w, nor a date, such as {now:%Y-%m-%d}.")
        if len(text.strip()) <= len("2026-11-30"):
            # A date alone means the whole day.
            moment = moment.replace(hour=23, minute=59, second=59)
        if moment < now:
            raise ValueError(f"{text!r} is in the past.")
        return moment


class Moment(TextType):
    """A moment by its date and time: the same whenever the command runs."""

    name = "time"

    def parse(self, text: str) -> datetime:
        """Return the moment, in UTC unless it names a zone."""
        moment = ages.parse_moment(text)
        if moment is None:
            raise ValueError(f"{text!r} is no time, such as {datetime.now(UTC):%Y-%m-%dT%H:00Z}.")
        return moment


class Month(TextType):
    """A month, which begins at midnight in UTC."""

    name = "month"

    def parse(self, text: str) -> datetime:
        """Return its beginning."""
        try:
            return datetime.strptime(text.strip(), "%Y-%m").replace(tzinfo=UTC)
        except ValueError:
            raise ValueError(f"{text!r} is no month, such as {datetime.now(UTC):%Y-%m}.") from None
