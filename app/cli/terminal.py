"""The terminal that standard output leads to: its size, whether it shows colours, and a pager for long output."""

import os
import shutil
import sys

import click

# Colours for the words that say how something stands.
COLOURS = {
    **dict.fromkeys(("failed", "FAIL", "EXPIRED", "conflict", "refused", "expired"), "red"),
    **dict.fromkeys(("waiting", "ambiguous", "not_ours", "ending", "warn"), "yellow"),
    **dict.fromkeys(("active", "delivered", "accepted", "billed", "ok"), "green"),
}


def width() -> int | None:
    """Return how many columns a table may have; None where standard output is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def shows_colours() -> bool:
    """Return whether to print colours: on a terminal, unless NO_COLOR asks for none (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def style(text: str, word: str = "") -> str:
    """Return the text in the colour of the word, or of its own; as it is where no colours are shown."""
    key = (word or text).strip().partition(":")[0]
    return click.style(text, fg=COLOURS[key]) if key in COLOURS and shows_colours() else text


def heading(text: str) -> str:
    """Return the text in bold, where colours are shown."""
    return click.style(text, bold=True) if shows_colours() else text


def print_paged(text: str) -> None:
    """Print the text; where it is longer than the terminal, in a pager."""
    is_interactive = sys.stdout.isatty() and sys.stdin.isatty()
    if is_interactive and text.count("\n") + 1 >= shutil.get_terminal_size().lines:
        click.echo_via_pager(text, color=shows_colours())
    else:
        click.echo(text)
