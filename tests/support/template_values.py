"""Computes the values of a template for given parameters, as CloudFormation does when it makes the stack."""

import re
from collections.abc import Callable, Mapping
from typing import Any

PSEUDO_PARAMETERS = {
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::StackName": "foyer",
}
NO_VALUE = object()
VARIABLE = re.compile(r"\$\{([^!][^}]*)\}")


class UnknownReference(LookupError):
    """The template names a parameter, resource, attribute, condition or function without a known value."""


class TemplateValues:
    """One template with the values of a stack.

    `made` has what the stack's resources are called, by what the template says of them: `Database` for a Ref,
    `Database.Endpoint.Address` for a GetAtt.
    """

    def __init__(self, template: Mapping[str, Any], parameters: Mapping[str, str], made: Mapping[str, Any]) -> None:
        declared = template["Parameters"]
        if unknown := parameters.keys() - declared.keys():
            raise UnknownReference(", ".join(sorted(unknown)))
        defaults = {name: _text(made["Default"]) for name, made in declared.items() if "Default" in made}
        self._resources, self._conditions = template["Resources"], template["Conditions"]
        self._references = {**PSEUDO_PARAMETERS, **defaults, **parameters, **made}
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._reference,
            "Fn::GetAtt": lambda path: self._reference(".".join(path) if isinstance(path, list) else path),
            "Fn::Sub": self._substitute,
            "Fn::If": lambda parts: self.resolve(parts[1 if self.holds(parts[0]) else 2]),
            "Fn::Join": lambda parts: parts[0].join(self.resolve(parts[1])),
            "Fn::Split": lambda parts: self.resolve(parts[1]).split(parts[0]),
            "Fn::Select": lambda parts: self.resolve(parts[1])[int(parts[0])],
            "Fn::GetAZs": lambda _: [f"{PSEUDO_PARAMETERS['AWS::Region']}{zone}" for zone in "abc"],
            "Fn::Equals": lambda parts: len({_text(self.resolve(part)) for part in parts}) == 1,
            "Fn::Not": lambda parts: not self.resolve(parts[0]),
            "Fn::And": lambda parts: all(map(self.resolve, parts)),
            "Fn::Or": lambda parts: any(map(self.resolve, parts)),
        }

    def holds(self, condition: str) -> bool:
        """Return whether the condition is true; UnknownReference if there is none of that name."""
        if condition not in self._conditions:
            raise UnknownReference(condition)
        return bool(self.resolve(self._conditions[condition]))

    def has(self, resource: str) -> bool:
        """Return whether the stack has the resource: some depend on a condition."""
        condition = self._resources[resource].get("Condition")
        return condition is None or self.holds(condition)

    def properties(self, resource: str) -> dict[str, Any]:
        """Return the properties of a resource; UnknownReference if one of them refers to what has no value."""
        return dict(self.resolve(self._resources[resource]["Properties"]))

    def resolve(self, part: Any) -> Any:
        """Return a part of the template with the values of its functions."""
        if isinstance(part, list):
            return [value for value in map(self.resolve, part) if value is not NO_VALUE]
        if not isinstance(part, dict):
            return part
        if len(part) == 1:
            [(name, argument)] = part.items()
            # A condition inside a condition; a policy's statement has a Condition as well, which is a mapping.
            if name == "Condition" and isinstance(argument, str):
                return self.holds(argument)
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(name, argument)
        resolved = {name: self.resolve(value) for name, value in part.items()}
        return {name: value for name, value in resolved.items() if value is not NO_VALUE}

    def _call(self, name: str, argument: Any) -> Any:
        if name not in self._functions:
            raise UnknownReference(name)
        return self._functions[name](argument)

    def _reference(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name not in self._references:
            raise UnknownReference(name)
        return self._references[name]

    def _substitute(self, argument: Any) -> str:
        text, own = (argument, {}) if isinstance(argument, str) else argument
        values = {name: self.resolve(value) for name, value in own.items()}

        def value_of(name: str) -> str:
            return _text(values[name] if name in values else self._reference(name))

        return VARIABLE.sub(lambda found: value_of(found[1]), text).replace("${!", "${")


def _text(value: Any) -> str:
    """Return the value as CloudFormation passes it on: every parameter is a text."""
    return str(value).lower() if isinstance(value, bool) else str(value)
