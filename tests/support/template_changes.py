"""What an update from one version of a template to another replaces or deletes, by CloudFormation's own schemas."""

from collections.abc import Iterator, Mapping
from typing import Any

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from tests.support.template_values import PSEUDO_PARAMETERS, TemplateValues

Template = Mapping[str, Any]


class _NamedValues(TemplateValues):
    """A template's values, where a resource that was made is called by its name in the template."""

    def __init__(self, template: Template, parameters: Mapping[str, str], replaced: set[str]) -> None:
        known = {name: value for name, value in parameters.items() if name in template["Parameters"]}
        super().__init__(template, known, {})
        self._replaced = replaced

    def _reference(self, name: str) -> Any:
        resource = name.partition(".")[0]
        if resource in self._resources:
            return f"{name} of the new one" if resource in self._replaced else name
        return super()._reference(name)


def lost_resources(before: Template, after: Template, parameters: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the resources that an update with the same parameters replaces or deletes, each with the reasons.

    A reason is the path of a property that cannot be changed in place, such as `/properties/QueueName`, or `Type` or
    `removed`. A property that only sometimes replaces counts too.
    """
    old = _NamedValues(before, parameters, set())
    lost: dict[str, list[str]] = {}
    while True:
        new = _NamedValues(after, parameters, set(lost))
        found = {name: reasons for name in before["Resources"] if (reasons := _reasons(name, old, new, before, after))}
        if found == lost:
            return lost
        lost = found


def _reasons(name: str, old: TemplateValues, new: TemplateValues, before: Template, after: Template) -> list[str]:
    if not old.has(name):
        return []
    if name not in after["Resources"] or not new.has(name):
        return ["removed"]
    kind = before["Resources"][name]["Type"]
    if kind != after["Resources"][name]["Type"]:
        return ["Type"]
    earlier, later = _properties(old, before, name), _properties(new, after, name)
    return [path for path in _fixed_paths(kind) if _value(earlier, path) != _value(later, path)]


def _properties(values: TemplateValues, template: Template, name: str) -> Any:
    return values.resolve(template["Resources"][name].get("Properties", {}))


def _fixed_paths(kind: str) -> Iterator[str]:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(PSEUDO_PARAMETERS["AWS::Region"], kind).schema
    yield from schema.get("createOnlyProperties", [])
    yield from schema.get("conditionalCreateOnlyProperties", [])


def _value(properties: Any, path: str) -> Any:
    part = properties
    for name in path.removeprefix("/properties/").split("/"):
        part = part.get(name) if isinstance(part, dict) else None
    return part
