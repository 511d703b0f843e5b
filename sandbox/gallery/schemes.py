"""Shows a page or stylesheet as a browser of the light or the dark scheme would: a frame cannot be told which."""

import re
from typing import Literal

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
MEDIA = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)")
BOTH = re.compile(r'(color-scheme(?:s" content="|" content="|:\s*))light dark')
ALWAYS, NEVER = "(min-width: 0)", "(max-width: 0)"


def of_scheme(text: str, scheme: Scheme) -> str:
    """Return the HTML, CSS or SVG with its media queries of the scheme decided."""
    decided = MEDIA.sub(lambda query: ALWAYS if query[1] == scheme else NEVER, text)
    return BOTH.sub(rf"\g<1>{scheme}", decided)
