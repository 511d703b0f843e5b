"""The look of one product's pages and mails: the table [products.CODE.brand] of products.toml."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.config import accents, fields, pictures
from app.config.accents import Shades
from app.config.fields import OneOf, TableFaults, Text, YesOrNo, declare
from app.config.pictures import Picture
from app.config.setting_checks import URL_HOST, check_exact

PICTURE_NAME = Text(pattern=r"(?!(.*/)?\.\.?/)[^/\\:]+(/[^/\\:]+)*\.(?i:svg|png)", max_length=255, check=check_exact)
PAGE_URL = Text(pattern=rf"https://{URL_HOST}+(/[^\s\"`<>]*)?", max_length=2048, check=check_exact)
COLOUR = Text(pattern=r"#[0-9a-fA-F]{6}")
PICTURE = "the name of an SVG or PNG file beside the products file, such as logo.svg"
COLOUR_DESCRIPTION = "a colour as #rrggbb, such as #0b5fff"


@dataclass(frozen=True, kw_only=True)
class BrandTable:
    """The table as it is written. Each description completes "it must be"."""

    logo: str | None = declare(PICTURE_NAME, default=None, description=PICTURE)
    logo_dark: str | None = declare(PICTURE_NAME, default=None, description=PICTURE)
    logo_mail: str | None = declare(PICTURE_NAME, default=None, description=PICTURE)
    icon: str | None = declare(PICTURE_NAME, default=None, description=PICTURE)
    accent: str | None = declare(COLOUR, default=None, description=COLOUR_DESCRIPTION)
    accent_dark: str | None = declare(COLOUR, default=None, description=COLOUR_DESCRIPTION)
    corners: Literal["round", "soft", "square"] = declare(
        OneOf("round", "soft", "square"), default="round", description="round, soft or square"
    )
    privacy_url: str | None = declare(PAGE_URL, default=None, description="an address that begins with https://")
    terms_url: str | None = declare(PAGE_URL, default=None, description="an address that begins with https://")
    powered_by: bool = declare(YesOrNo(), default=False, description="true or false")


TABLE_FIELDS = fields.declared(BrandTable)


@dataclass(frozen=True, kw_only=True)
class Brand:
    """The look of one product, ready to be served. What is None looks as Foyer does.

    `logo_mail` is a PNG, because mail programs show no SVG.
    """

    logo: Picture | None = None
    logo_dark: Picture | None = None
    logo_mail: Picture | None = None
    icon: Picture | None = None
    light: Shades | None = None
    dark: Shades | None = None
    corners: Literal["round", "soft", "square"] = "round"
    privacy_url: str | None = None
    terms_url: str | None = None
    powered_by: bool = False

    @property
    def pictures(self) -> list[Picture]:
        """All its pictures."""
        return [picture for picture in (self.logo, self.logo_dark, self.logo_mail, self.icon) if picture]


NO_BRAND = Brand()
# By `corners`, the radius of everything; None: as Foyer has it.
RADII = {"round": None, "soft": "6px", "square": "0"}


def read(table: object, folder: Path) -> Brand:
    """Return the brand; its pictures are in the folder, that of the products file.

    Raises:
        TableFaults: a value or a picture is refused.
    """
    written = fields.read_table(BrandTable, table)
    faults = {dark: f"it stands in for {light} in the dark scheme: set {light} too" for dark, light in _alone(written)}
    loaded = _load_pictures(written, folder, faults)
    shades = _read_shades(written, faults)
    logo, logo_mail = loaded.get("logo"), loaded.get("logo_mail")
    if logo_mail and logo_mail.mimetype != "image/png":
        faults["logo_mail"] = "it must be a PNG: mail programs show no SVG"
    if faults:
        raise TableFaults(faults.items())
    return Brand(
        logo=logo,
        logo_dark=loaded.get("logo_dark"),
        logo_mail=logo_mail or (logo if logo and logo.mimetype == "image/png" else None),
        icon=loaded.get("icon"),
        light=shades.get("accent"),
        dark=shades.get("accent_dark"),
        corners=written.corners,
        privacy_url=written.privacy_url,
        terms_url=written.terms_url,
        powered_by=written.powered_by,
    )


def _alone(written: BrandTable) -> list[tuple[str, str]]:
    """Return the fields for the dark scheme whose field for the light one is not set, each with that."""
    pairs = (("logo_dark", "logo"), ("accent_dark", "accent"))
    return [(dark, light) for dark, light in pairs if getattr(written, dark) and not getattr(written, light)]


def _load_pictures(written: BrandTable, folder: Path, faults: dict[str, str]) -> dict[str, Picture]:
    loaded = {}
    for name in ("logo", "logo_dark", "logo_mail", "icon"):
        try:
            if file_name := getattr(written, name):
                loaded[name] = pictures.load(folder / file_name)
        except ValueError as error:
            faults[name] = str(error)
    return loaded


def _read_shades(written: BrandTable, faults: dict[str, str]) -> dict[str, Shades]:
    if written.accent is None:
        return {}
    accent = written.accent.lower()
    dark = written.accent_dark.lower() if written.accent_dark else accents.lighten_for_dark(accent)
    shades = {}
    for name, colour, read_shades in (
        ("accent", accent, accents.light_shades),
        ("accent_dark", dark, accents.dark_shades),
    ):
        try:
            shades[name] = read_shades(colour)
        except ValueError as error:
            faults[name] = str(error)
    return shades
