"""The program `foyer`: needs no settings until a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from app import VERSION, create_app
from app.cli import LazyGroup

if TYPE_CHECKING:
    from flask import Flask

# Only a clone has it; the image does not.
SANDBOX_DIR = Path(__file__).parents[2] / "sandbox"
CLONE_HINT = 'To use the settings of `make run`: make foyer ARGS="..."'


def load_app() -> Flask:
    """Return the application; `.env` in this folder or above completes the environment, as for `flask`.

    Raises:
        SystemExit: a setting is missing or invalid.
    """
    from flask.cli import load_dotenv  # noqa: PLC0415
    from flask.helpers import get_load_dotenv  # noqa: PLC0415

    if get_load_dotenv():
        load_dotenv()
    try:
        return create_app()
    except SystemExit as error:
        raise SystemExit(f"{error}\n{CLONE_HINT}") if SANDBOX_DIR.is_dir() else error from None


@click.group(
    "foyer",
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Each command has its own --help. The settings come from the environment, as for the web processes.",
)
@click.version_option(VERSION, prog_name="foyer", message="%(prog)s %(version)s")
@click.pass_context
def foyer(ctx: click.Context) -> None:
    """Answer questions about customers, and operate Foyer.

    To see one customer: foyer customer NAME, ADDRESS or any id. To see whether all is well: foyer status.
    """
    # Imported only for a command that runs: `foyer --help` and the completion answer several times as fast.
    from flask.cli import ScriptInfo  # noqa: PLC0415

    ctx.obj = ScriptInfo(create_app=load_app)
