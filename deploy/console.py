"""Prints sentences that fit the terminal, asks questions, and says how long things take."""

import shutil
import sys
import textwrap

import click

from deploy.errors import WAITING_STATUS, DeployError

MAX_COLUMNS = 100


def say(*paragraphs: str) -> None:
    """Print each paragraph, wrapped; lines that begin with blanks are printed as they are."""
    for paragraph in paragraphs:
        click.echo(_wrap(paragraph))


def heading(text: str) -> None:
    """Print an empty line and the text, in bold on a terminal."""
    click.echo()
    click.secho(text, bold=True)


def warn(*paragraphs: str) -> None:
    """Print what may be wrong, and does not stop the command."""
    first, *others = paragraphs
    say(f"Warning: {first}", *others)


def fail(error: DeployError) -> None:
    """Print the error to standard error, with AWS's own words in brackets at its end."""
    label = "Not yet" if error.status == WAITING_STATUS else "Error"
    aws_words = [f"(AWS says: {error.aws_words})"] if error.aws_words else []
    paragraphs = [_fill(f"{label}: {error.what}"), *map(_wrap, (*error.to_do, *aws_words))]
    sys.stdout.flush()
    click.echo("\n" + "\n\n".join(paragraphs), err=True)


def confirm(question: str, *, is_yes: bool) -> bool:
    """Return the answer to a question; yes without asking if `is_yes`.

    Raises:
        DeployError: there is nobody to ask.
    """
    if is_yes:
        return True
    try:
        return click.confirm(f"\n{question}")
    except click.Abort:
        click.echo()
        raise DeployError("Nobody answered, so nothing was changed.", "Where nobody can answer, add YES=1.") from None


def confirm_by_name(reason: str, stack_name: str) -> None:
    """Ask to type the stack's name, which YES=1 does not answer.

    Raises:
        DeployError: something else was typed.
    """
    click.echo()
    say(reason)
    try:
        typed = click.prompt("Type the stack's name to go on", default="", show_default=False)
    except click.Abort:
        click.echo()
        typed = ""
    if typed.strip() != stack_name:
        raise DeployError(f"That is not {stack_name}, so nothing was changed.")


def duration(seconds: float) -> str:
    """Return a time in words, such as 4 min 12 s."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def listed(names: list[str]) -> str:
    """Return the names as in a sentence: a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _wrap(paragraph: str) -> str:
    return "\n".join(line if line.startswith(" ") else _fill(line) for line in paragraph.split("\n"))


def _fill(line: str) -> str:
    columns = min(shutil.get_terminal_size().columns, MAX_COLUMNS)
    # An ARN or a URL that is broken cannot be copied.
    return textwrap.fill(line, columns, break_long_words=False, break_on_hyphens=False)
