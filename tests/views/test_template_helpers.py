"""Values as the templates write them for people."""

from typing import Any

import pytest

from app.views import template_helpers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "Yes"),
        (False, "No"),
        (0, "0"),
        (2147483647, "2,147,483,647"),
        (12500.5, "12,500.5"),
        (2.0, "2"),
        (1e16, "10,000,000,000,000,000"),
        ("gold", "gold"),
        ("a\x00b\ud800", "ab"),
        ("", ""),
        (None, ""),
    ],
)
def test_entitlement_value_is_formatted(value: Any, text: str) -> None:
    assert template_helpers.format_quantity(value) == text
