"""Reads the sign-up form of a page, as a browser would send it."""

from html.parser import HTMLParser
from typing import Any


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, list[str]] = {}
        self._is_in_form = False
        self._open_name: str | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        name, value = values.get("name"), values.get("value") or ""
        if tag == "form":
            self._is_in_form = values.get("id") == "answers"
        if not self._is_in_form:
            return
        if tag == "input" and name and (values.get("type") not in {"radio", "checkbox"} or "checked" in values):
            self.fields.setdefault(name, []).append(value)
        if tag in {"textarea", "select"}:
            self._open_name = name
            self.fields.setdefault(str(name), [])
        if tag == "option" and "selected" in values and self._open_name:
            self.fields[self._open_name].append(value)

    def handle_data(self, data: str) -> None:
        if self._open_name and self.get_starttag_text() and str(self.get_starttag_text()).startswith("<textarea"):
            # A browser leaves out the first line break.
            self.fields[self._open_name].append(data.removeprefix("\n"))

    def handle_endtag(self, tag: str) -> None:
        if tag in {"textarea", "select"}:
            self._open_name = None


def read(page: str) -> dict[str, Any]:
    """Return what the form on the page would send if nobody changed it."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return dict(reader.fields)
