"""Reads a CloudFormation template as plain data, with its functions in their long form, such as {"Ref": "Vpc"}."""

import difflib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deploy.errors import DeployError

FOLDER = Path(__file__).parent
PRODUCTION, EVENTS, REGISTRY = (FOLDER / name for name in ("production.yaml", "template.yaml", "registry.yaml"))
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
MAX_BODY_BYTES = 51_200


class _Loader(yaml.CSafeLoader):  # type: ignore[misc]  # yaml has no types
    """Knows !Ref, !Sub and so on."""


def _read_function(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _read_function)


def parse(text: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return the template; botocore has already parsed one that is JSON."""
    return dict(yaml.load(text, _Loader)) if isinstance(text, str) else dict(text)  # noqa: S506  # a SafeLoader


def read(path: Path) -> tuple[str, dict[str, Any]]:
    """Return the template as text and as data.

    Raises:
        DeployError: there is no such file, it is not YAML, or it is too long to be sent.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data = parse(text)
    except OSError as error:
        raise DeployError(f"The template {path} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise DeployError(f"The template {path} is not YAML: {error}.") from None
    if len(text.encode()) > MAX_BODY_BYTES:
        text = json.dumps(data, separators=(",", ":"))
    return text, data


def check_values(template: Mapping[str, Any], values: Mapping[str, str]) -> None:
    """Check values of parameters against the template's rules for them.

    Raises:
        DeployError: a name or a value is wrong.
    """
    parameters = template.get("Parameters", {})
    for name, value in values.items():
        if name not in parameters:
            close = difflib.get_close_matches(name, parameters, 1, 0.5)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise DeployError(
                f"The template has no parameter {name}.{hint}", f"It has {', '.join(sorted(parameters))}."
            )
        if problem := _problem(parameters[name], value):
            about = parameters[name].get("Description", "")
            raise DeployError(f"{name} is {value or 'empty'}, but it must be {problem}.", *([about] if about else []))


def _problem(parameter: Mapping[str, Any], value: str) -> str:
    allowed = [str(item) for item in parameter.get("AllowedValues", ())]
    if allowed and value not in allowed:
        return f"one of {', '.join(allowed)}"
    if parameter.get("Type") == "Number":
        low, high = parameter.get("MinValue"), parameter.get("MaxValue")
        if not re.fullmatch(r"-?\d+(\.\d+)?", value):
            return "a number"
        if low is not None and float(value) < float(low):
            return f"at least {low}"
        return f"at most {high}" if high is not None and float(value) > float(high) else ""
    pattern = parameter.get("AllowedPattern")
    return f"of the form {pattern}" if pattern and not re.fullmatch(pattern, value) else ""
