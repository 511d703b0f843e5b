"""The API token with which the example product of `make run` sends usage."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import click

SETTING = "USAGE_API_TOKEN"
CREATE_COMMAND = ("-m", "app.cli", "api-tokens", "create", "Example product", "--scope", "usage:write")


def load_or_create(settings: Mapping[str, str], instance: Path) -> dict[str, str]:
    """Return the setting of the example product: as chosen, from the file in `instance`, or with a new token.

    Without a token, usage stays with the example product, which says so.
    """
    if settings.get(SETTING):
        return {SETTING: settings[SETTING]}
    path = instance / _file_name(settings.get("DATABASE_URL"))
    if not path.exists():
        created = subprocess.run(  # noqa: S603  the command is ours
            [sys.executable, *CREATE_COMMAND], env=dict(settings), capture_output=True, text=True, check=False
        )
        if created.returncode:
            click.echo(f"The example product cannot send usage: no API token was created.\n{created.stderr}", err=True)
            return {}
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(created.stdout.strip())
    return {SETTING: path.read_text(encoding="utf-8").strip()}


def _file_name(database_url: str | None) -> str:
    # A token is stored in one database, and another one does not know it.
    return f"usage-token-{hashlib.sha256(database_url.encode()).hexdigest()[:8]}" if database_url else "usage-token"
