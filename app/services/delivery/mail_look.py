"""The look of a mail: the brand of its product, or Foyer's own."""

from dataclasses import dataclass

from app.config.accents import Shades
from app.config.brand import NO_BRAND, RADII
from app.config.products import Product

# As in app/static/style.css.
LIGHT = Shades(accent="#0d5f58", strong="#094742", on_accent="#ffffff", tint="#e6f1ee")
DARK = Shades(accent="#6fd0c0", strong="#93e0d3", on_accent="#06201d", tint="#1c3431")
CARD_RADIUS, BUTTON_RADIUS = "14px", "10px"
LOGO_HEIGHT = 40


@dataclass(frozen=True)
class MailLook:
    """Colours, corners, and the logo's whole URL and width in pixels; without a logo, the product's name stands."""

    light: Shades
    dark: Shades
    card_radius: str
    button_radius: str
    logo_url: str | None
    logo_width: int


def of_product(product: Product | None, site_url: str) -> MailLook:
    """Return the look of mails about the product."""
    brand = product.brand if product else NO_BRAND
    logo, radius = brand.logo_mail, RADII[brand.corners]
    return MailLook(
        light=brand.light or LIGHT,
        dark=brand.dark or DARK,
        card_radius=radius or CARD_RADIUS,
        button_radius=radius or BUTTON_RADIUS,
        logo_url=f"{site_url.rstrip('/')}/brand/{logo.file_name}" if logo else None,
        logo_width=logo.width_at(LOGO_HEIGHT) if logo else 0,
    )
