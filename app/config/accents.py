"""Colours of a brand that can be read: WCAG 2.2 asks for a contrast of 4.5 to 1 between text and its ground.

https://www.w3.org/TR/WCAG22/#contrast-minimum
"""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coloraide import Color

MIN_CONTRAST = 4.5
STRONG_CONTRAST = 7.0
# The grounds of app/static/style.css, of each scheme the one nearest to the text.
LIGHT_GROUND, DARK_GROUND = "#f4f3ef", "#1a2226"
WHITE, BLACK = "#ffffff", "#10181b"
# What a tag's ground is made of, with a little of the accent: never nearer to the accent than the grounds above.
LIGHT_TINT, DARK_TINT, TINT_SHARE = WHITE, "#11171a", 0.06


@dataclass(frozen=True)
class Shades:
    """The colours of one scheme, as #rrggbb. `strong` is for links that are pointed at, and text on `tint`."""

    accent: str
    strong: str
    on_accent: str
    tint: str


@cache
def light_shades(accent: str) -> Shades:
    """Return the colours for the light scheme. ValueError names the nearest colour where this one is too light."""
    return _shades(accent, LIGHT_GROUND, LIGHT_TINT, "light")


@cache
def dark_shades(accent: str) -> Shades:
    """Return the colours for the dark scheme. ValueError names the nearest colour where this one is too dark."""
    return _shades(accent, DARK_GROUND, DARK_TINT, "dark")


@cache
def lighten_for_dark(accent: str) -> str:
    """Return the colour, or the nearest lighter one that can be read in the dark scheme."""
    return _nearest(accent, DARK_GROUND, MIN_CONTRAST)


def _shades(accent: str, ground: str, tint_ground: str, scheme: str) -> Shades:
    measured = _contrast(accent, ground)
    if measured < MIN_CONTRAST:
        nearest = _nearest(accent, ground, MIN_CONTRAST)
        raise ValueError(
            f"it has a contrast of {measured:.2f} to the pages' {scheme} ground, and needs {MIN_CONTRAST}. "
            f"The nearest colour that has it is {nearest}"
        )
    on_accent = max(WHITE, BLACK, key=lambda text: _contrast(accent, text))
    tint = _hex(_color(tint_ground).mix(accent, TINT_SHARE, space="srgb"))
    return Shades(accent, _nearest(accent, ground, STRONG_CONTRAST), on_accent, tint)


def _nearest(accent: str, ground: str, contrast: float) -> str:
    """Return the colour whose lightness is changed least to have this contrast to the ground."""
    if _contrast(accent, ground) >= contrast:
        return accent
    color = _color(accent).convert("oklch")
    # Of the two ends, black or white, one is always far enough from a light or a dark ground.
    end = 0.0 if _contrast("#000000", ground) > _contrast("#ffffff", ground) else 1.0
    too_near, far_enough = color["lightness"], end
    for _ in range(16):
        middle = (too_near + far_enough) / 2
        # Measured as the page gets it, in whole steps of red, green and blue.
        if _contrast(_hex(color.clone().set("lightness", middle)), ground) >= contrast:
            far_enough = middle
        else:
            too_near = middle
    return _hex(color.clone().set("lightness", far_enough))


def _contrast(one: str, other: str) -> float:
    return float(_color(one).contrast(other, method="wcag21"))


def _hex(color: "Color") -> str:
    return color.convert("srgb").fit().to_string(hex=True)


def _color(text: str) -> "Color":
    from coloraide import Color  # noqa: PLC0415  # most products have no accent

    return Color(text)
