"""The template of a stack that keeps its data: what runs and costs is taken out of it."""

import re
from collections.abc import Mapping
from typing import Any

# What holds data, what a deployment needs to find that again, and what costs nothing and others may know: the network.
KEPT_TYPES = (
    "AWS::RDS::",
    "AWS::SecretsManager::",
    "AWS::EC2::",
    "AWS::SQS::",
    "AWS::Events::",
    "AWS::SES::",
    "AWS::SNS::",
)
SUBSTITUTED = re.compile(r"\$\{([A-Za-z0-9]+)[.}]")


def reduce(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template with only what is kept of its resources, and the outputs that need no others.

    The parameters stay, so that the stack remembers their values for the next deployment.
    """
    everything = template["Resources"]
    kept = {name for name, made in everything.items() if made["Type"].startswith(KEPT_TYPES)}
    while missing := {name for owner in kept for name in references(everything[owner])} & everything.keys() - kept:
        kept |= missing
    removed = everything.keys() - kept
    outputs = {name: made for name, made in template.get("Outputs", {}).items() if not set(references(made)) & removed}
    return {
        **template,
        "Resources": {name: made for name, made in everything.items() if name in kept},
        "Outputs": outputs,
    }


def references(part: Any) -> list[str]:
    """Return the names that a part of a template refers to, with those that are no resources."""
    if isinstance(part, list):
        return [name for item in part for name in references(item)]
    if not isinstance(part, dict):
        return []
    names: list[str] = []
    for key, value in part.items():
        if key == "Ref":
            names.append(value)
        elif key == "Fn::GetAtt":
            names.append(value[0] if isinstance(value, list) else value.partition(".")[0])
        elif key == "DependsOn":
            names += [value] if isinstance(value, str) else value
        else:
            if key == "Fn::Sub":
                text = value if isinstance(value, str) else value[0]
                names += SUBSTITUTED.findall(text)
            names += references(value)
    return names
