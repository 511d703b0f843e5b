"""Reads a CloudFormation template as plain data, with its functions in their long form, such as {"Ref": "Vpc"}."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cfnlint.decode import cfn_yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
EVENTS, PRODUCTION = DEPLOY / "template.yaml", DEPLOY / "production.yaml"


def load(path: Path) -> dict[str, Any]:
    """Return the template."""
    return dict(cfn_yaml.load(str(path)))


def containers(template: dict[str, Any]) -> dict[str, Any]:
    """Return the definition of each container, by its name."""
    tasks = [made for made in template["Resources"].values() if made["Type"] == "AWS::ECS::TaskDefinition"]
    definitions = [made for task in tasks for made in task["Properties"]["ContainerDefinitions"]]
    return {definition["Name"]: definition for definition in definitions}


def find_all(part: Any, key: str) -> Iterator[Any]:
    """Yield every value with this key, however deep it stands."""
    if isinstance(part, dict):
        if key in part:
            yield part[key]
        for inner in part.values():
            yield from find_all(inner, key)
    elif isinstance(part, list):
        for inner in part:
            yield from find_all(inner, key)
