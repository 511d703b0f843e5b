"""What a command was asked for."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from deploy.certificates import Wait
from deploy.errors import DeployError

EXAMPLE = "Write it like this: PARAMETERS=\"SignInUrl=https://app.acme.example ProductName='Acme Insights'\""


@dataclass(frozen=True)
class DeployOptions:
    """What the command asks for. `values` are parameters of the template, by their names there."""

    stack_name: str
    values: dict[str, str]
    products_file: Path | None
    template: Path
    is_yes: bool
    wait: Wait

    @property
    def poll_seconds(self) -> float:
        """The seconds between two looks at something that AWS does."""
        return self.wait.poll_seconds


def parse_parameters(text: str) -> dict[str, str]:
    """Return the parameters in Name=value Name='another value'.

    Raises:
        DeployError: a part has no name or no value.
    """
    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise DeployError(f"PARAMETERS cannot be read: {error}.", EXAMPLE) from None
    values = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if not equals or not name.isidentifier():
            raise DeployError(f"PARAMETERS has {part}, which is no Name=value.", EXAMPLE)
        values[name] = value
    return values
