"""The seller's products, read from products.toml or from the PRODUCT_* settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlsplit

from flask import Flask, current_app

from app.config import brand, fields, stray_characters, texts
from app.config.brand import NO_BRAND, Brand, BrandFaults
from app.config.fields import OneOf, Text, declare
from app.config.setting_checks import URL_HOST, check_exact, check_text
from app.config.settings import SETTINGS, Settings, SettingsError
from app.config.usage_rules import USAGE_FIELDS, UsageRules
from app.errors import UnknownProduct
from app.languages.speech import Texts


def _check_url(url: str) -> None:
    # `port` itself raises ValueError where it is not a number or too large.
    if urlsplit(check_exact(url)).port == 0:
        raise ValueError("there is no port 0")


# At least one visible character.
NAME_PATTERN = r".*\S.*"
URL = Text(pattern=rf"https?://{URL_HOST}+(/[^\s\"`<>]*)?", max_length=2048, check=_check_url)
# Only the address: with a name around it, or with "mailto:" in front, no mail would arrive.
EMAIL_PART_PATTERN = r'[^@\s<>()\[\],:;\\"]+'
EMAIL_PATTERN = rf"{EMAIL_PART_PATTERN}@{EMAIL_PART_PATTERN}\.{EMAIL_PART_PATTERN}"
EMAIL_ADDRESS = Text(pattern=EMAIL_PATTERN, max_length=254, check=check_exact)
TEXT_FIELDS = {"name", "ready_within"}


@dataclass(frozen=True, kw_only=True)
class Product:
    """One listing on AWS Marketplace, and what its buyers see of the product."""

    # Each description completes "it must be": the seller reads it in place of the pattern.
    code: str = declare(
        # https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-metering_ResolveCustomer.html
        Text(pattern=r"[-A-Za-z0-9/=:_.@]+", max_length=255),
        description="a product code of 1 to 255 characters",
    )
    name: str = declare(
        Text(pattern=NAME_PATTERN, max_length=200, check=check_text), description="text of 1 to 200 characters"
    )
    pricing: Literal["subscription", "contract", "contract-with-consumption"] = declare(
        OneOf("subscription", "contract", "contract-with-consumption"),
        default="subscription",
        description="subscription, contract or contract-with-consumption",
    )
    sign_in_url: str = declare(URL, description="an address such as https://app.acme.example/login")
    support_email: str = declare(EMAIL_ADDRESS, description="an e-mail address such as help@acme.example")
    handoff_url: str | None = declare(
        URL, default=None, description="an address such as https://app.acme.example/foyer"
    )
    handoff_secret_setting: str = declare(
        Text(pattern=r"[A-Z][A-Z0-9_]{0,99}"),
        default="HANDOFF_SECRET",
        description="the name of a setting such as ACME_HANDOFF_SECRET, not the secret itself",
    )
    notify_email: str | None = declare(
        EMAIL_ADDRESS, default=None, description="an e-mail address such as sales@acme.example"
    )
    ready_within: str = declare(
        Text(pattern=NAME_PATTERN, max_length=100, check=check_text),
        default="one working day",
        description='text that ends "you hear from us within", such as one working day',
    )
    usage: UsageRules = field(default=UsageRules())
    # By the language's code and the English text.
    texts: Texts = field(default_factory=dict, hash=False)
    brand: Brand = field(default=NO_BRAND)


PRODUCT_FIELDS = fields.declared(Product)


@dataclass(frozen=True)
class HandoffEndpoint:
    """One product's URL for hand-offs and its secrets, the newest first."""

    url: str
    secrets: tuple[str, ...] = field(repr=False)


class Products(dict[str, Product]):
    """The products by product code, in the order of their configuration; unknown codes raise UnknownProduct.

    `handoff_endpoints` are those of the products that receive hand-offs, by product code; the module of that name reads
    them. `sends_mail` is whether `MAIL_FROM` is set.
    """

    def __init__(self, products: Mapping[str, Product], *, sends_mail: bool = False) -> None:
        super().__init__(products)
        self.handoff_endpoints: dict[str, HandoffEndpoint] = {}
        self.sends_mail = sends_mail

    @property
    def has_logo(self) -> bool:
        """Return whether any product has a logo: then no page shows Foyer's own mark."""
        return any(product.brand.logo for product in self.values())

    @property
    def single(self) -> Product | None:
        """The seller's product; None where there are several."""
        return next(iter(self.values())) if len(self) == 1 else None

    def __missing__(self, code: str) -> Product:
        raise UnknownProduct(code)


def load(settings: Settings) -> Products:
    """Return the products that the settings name.

    Raises:
        SettingsError: no product is named, PRODUCT_CODE and PRODUCTS_FILE are both set, or a value is invalid.
    """
    if settings.products_file and settings.product_code:
        raise SettingsError("PRODUCT_CODE: unset it, or unset PRODUCTS_FILE. Use only one of them.")
    tables = _tables_from_file(settings.products_file) if settings.products_file else _tables_from_settings(settings)
    products = {code: _parse_product(code, table, settings) for code, table in tables.items()}
    return Products(products, sends_mail=bool(settings.mail_from))


def _tables_from_settings(settings: Settings) -> dict[str, object]:
    if not settings.product_code:
        raise SettingsError(
            "PRODUCT_CODE: it is not set. Set it to the product code of your listing, "
            "or set PRODUCTS_FILE to a TOML file that names your products."
        )
    values = {name: getattr(settings, _setting_name(name), None) for name in PRODUCT_FIELDS}
    return {settings.product_code: {name: value for name, value in values.items() if value is not None}}


def _tables_from_file(path: Path) -> dict[str, object]:
    import tomllib  # noqa: PLC0415  # most sellers have one product, and no file

    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("products")
    except OSError as error:
        raise SettingsError(f"PRODUCTS_FILE: {path}: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:  # too many digits: a plain ValueError; deep nesting: RecursionError
        raise SettingsError(f"PRODUCTS_FILE: {path} is not TOML: {error}.") from None
    if not isinstance(tables, dict) or not tables:
        raise SettingsError(f"PRODUCTS_FILE: {path} names no product. Add a [products.CODE] table.")
    return tables


def _parse_product(code: str, table: object, settings: Settings) -> Product:
    heading = f"{settings.products_file}, [products.{_shown(code)}]"
    if not isinstance(table, dict):
        raise SettingsError(f"{heading}: it must be a table.")
    values = {**table, "code": code}
    usage = _parse_usage(f"{settings.products_file}, [products.{_shown(code)}.usage]", values.pop("usage", {}))
    own_texts = values.pop("texts", {})
    look = _parse_brand(code, values.pop("brand", {}), settings.products_file)
    accepted, problems = fields.read(Product, values)
    if problems:
        in_file = settings.products_file is not None
        places = {name: f"{heading} {_shown(name)}" if in_file else _setting_name(name).upper() for name in problems}
        raise SettingsError(*(f"{places[name]}: {_describe_problem(name, values.get(name))}" for name in problems))
    product = Product(**accepted, usage=usage, brand=look)
    heading = f"{settings.products_file}, [products.{_shown(code)}.texts]"
    return replace(product, texts=texts.parse(heading, own_texts, (product.ready_within,)))


def _parse_usage(heading: str, table: object) -> UsageRules:
    if not isinstance(table, dict):
        raise SettingsError(f"{heading}: it must be a table.")
    accepted, problems = fields.read(UsageRules, table)
    if problems:
        raise SettingsError(*(f"{heading} {_shown(name)}: {_describe_rule(name)}" for name in problems))
    rules = UsageRules(**accepted)
    if rules.heartbeat and not rules.dimensions:
        raise SettingsError(f"{heading} dimensions: it is not set. heartbeat sends 0 in each of them.")
    return rules


def _parse_brand(code: str, table: object, products_file: Path | None) -> Brand:
    if products_file is None or table == {}:
        return NO_BRAND
    heading = f"{products_file}, [products.{_shown(code)}.brand]"
    if not isinstance(table, dict):
        raise SettingsError(f"{heading}: it must be a table.")
    try:
        return brand.read(table, products_file.parent)
    except BrandFaults as error:
        raise SettingsError(*(f"{heading} {_shown(name)}: {fault}." for name, fault in error.faults.items())) from None


def _describe_rule(name: str) -> str:
    if name not in USAGE_FIELDS:
        *others, last = USAGE_FIELDS
        return f"there is no such field. The fields are {', '.join(others)} and {last}."
    return f"it must be {USAGE_FIELDS[name].description}."


def _describe_problem(name: str, value: object) -> str:
    if name not in PRODUCT_FIELDS:
        others = ", ".join(other for other in PRODUCT_FIELDS if other != "code")
        return f"there is no such field. The fields are {others}, texts, usage and brand."
    if value is None:
        return f"it is not set. {SETTINGS[_setting_name(name)].description}"
    text = value if isinstance(value, str) else ""
    if fault := stray_characters.find_quotes_around(text):
        return f"it has {fault}."
    find_fault = stray_characters.find_in_text if name in TEXT_FIELDS else stray_characters.find_in_code
    fault = find_fault(text)
    return f"it must be {PRODUCT_FIELDS[name].description}.{f' It has {fault}.' if fault else ''}"


def _shown(name: str) -> str:
    return name if name.isprintable() else ascii(name)


def _setting_name(field: str) -> str:
    return field if field == "support_email" else f"product_{field}"


def init_app(app: Flask, settings: Settings) -> None:
    """Read the products once, when the application is created."""
    app.extensions["products"] = load(settings)


def current() -> Products:
    """Return the running application's products."""
    return cast(Products, current_app.extensions["products"])


def usage_rules(product_code: str) -> UsageRules:
    """Return how the product's usage is metered; the defaults for one that is configured no longer."""
    product = current().get(product_code)
    return product.usage if product else UsageRules()
