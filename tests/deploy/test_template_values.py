"""The values of a template for given parameters, and what has none."""

import pytest

from tests.support import templates
from tests.support.template_values import TemplateValues, UnknownReference

TEMPLATE = templates.load(templates.PRODUCTION)


@pytest.mark.parametrize(
    "part",
    [{"Ref": "Missing"}, {"Fn::GetAtt": ["Database", "Missing"]}, {"Fn::Sub": "a ${Missing}"}, {"Fn::Missing": "a"}],
)
def test_unknown_reference_in_a_template_fails(part: dict[str, object]) -> None:
    values = TemplateValues(TEMPLATE, {}, {"Database": "made"})

    with pytest.raises(UnknownReference, match="Missing"):
        values.resolve(part)


def test_parameter_that_the_template_does_not_have_fails() -> None:
    with pytest.raises(UnknownReference, match="Missing"):
        TemplateValues(TEMPLATE, {"Missing": "a"}, {})


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ({"Fn::If": ["MakesKeys", "yes", "no"]}, "yes"),
        ([{"Ref": "AWS::NoValue"}, "a"], ["a"]),
        ({"Fn::Sub": ["${A}-${AWS::Region}-${!B}", {"A": {"Ref": "WebTasks"}}]}, "2-us-east-1-${B}"),
        ({"Fn::Sub": ["${A}", {"A": ""}]}, ""),
        ({"Fn::Join": [",", {"Fn::Split": ["-", "a-b"]}]}, "a,b"),
        (
            {"Effect": "Allow", "Condition": {"Bool": {"a": "b"}}},
            {"Effect": "Allow", "Condition": {"Bool": {"a": "b"}}},
        ),
    ],
)
def test_functions_of_a_template_have_cloudformations_values(part: object, value: object) -> None:
    assert TemplateValues(TEMPLATE, {}, {}).resolve(part) == value
