"""Starts Foyer with the settings that its containers would have, so that a wrong one is found before the deployment."""

import base64
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.errors import DeployError

ROOT = Path(__file__).parents[1]
START = "from app import create_app; create_app()"
PASSED_VARIABLES = ("PATH", "LANG", "LC_ALL", "TMPDIR")
CONTAINER = "web"


def check(template: Mapping[str, Any], values: Mapping[str, str], products_file: Path | None) -> None:
    """Check the parameters' values as Foyer will read them.

    Raises:
        DeployError: Foyer would not start with them.
    """
    container = _container(template)
    if not container:
        return
    environment, sources = _environment(container, template["Parameters"], values)
    if products_file:
        # Not resolved: pictures are looked for beside the name that was given, as they are for the image.
        environment["PRODUCTS_FILE"] = str(products_file.absolute())
    elif environment.get("PRODUCTS_FILE"):
        return  # it is in the image
    passed = {name: os.environ[name] for name in PASSED_VARIABLES if name in os.environ}
    done = subprocess.run(  # noqa: S603  # this Python
        [sys.executable, "-c", START],
        cwd=ROOT,
        env={**passed, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DeployError("Foyer would not start with these settings.", _in_words_of_parameters(done.stderr, sources))


def _container(template: Mapping[str, Any]) -> dict[str, Any] | None:
    tasks = [made for made in template["Resources"].values() if made["Type"] == "AWS::ECS::TaskDefinition"]
    containers = [made for task in tasks for made in task["Properties"]["ContainerDefinitions"]]
    return next((made for made in containers if made["Name"] == CONTAINER), None)


def _environment(
    container: Mapping[str, Any], parameters: Mapping[str, Any], values: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the container's environment, and the parameter that each of its settings is."""
    # Of the right form: the stack makes the real ones.
    handoff_secret = f"whsec_{base64.b64encode(secrets.token_bytes(33)).decode()}"
    environment = {"SECRET_KEY": secrets.token_hex(), "HANDOFF_SECRET": handoff_secret}
    sources: dict[str, str] = {}
    for item in container["Environment"]:
        name, value = item["Name"], item["Value"]
        if isinstance(value, str):
            environment[name] = value
        elif value.get("Ref") in parameters:
            sources[name] = value["Ref"]
            environment[name] = values[value["Ref"]]
    environment["SITE_URL"] = f"https://{values['DomainName']}"
    environment["DATABASE_URL"] = "postgresql://foyer@db.example/foyer?sslmode=require"
    return environment, sources


def _in_words_of_parameters(text: str, sources: Mapping[str, str]) -> str:
    """Return Foyer's words with the names of the parameters, which is what can be changed here."""
    options = {"ProductCode": "PRODUCT_CODE=", "MailFrom": "MAIL_FROM="}
    for setting, parameter in sources.items():
        named = options.get(parameter, f'{parameter} (PARAMETERS="{parameter}=...")')
        text = re.sub(rf"(?<![A-Z_]){setting}(?![A-Z_])", named, text)
    return "\n".join(f"  {line}" for line in text.strip().splitlines())
