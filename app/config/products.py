"""The seller's products, read from products.toml or from the PRODUCT_* settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlsplit

from flask import Flask, current_app

from app.config import fields, product_parts, stray_characters
from app.config.brand import NO_BRAND, Brand
from app.config.fields import OneOf, Text, declare
from app.config.product_parts import shown
from app.config.questions import NO_QUESTIONS, Questions
from app.config.setting_checks import URL_HOST, check_exact, check_text
from app.config.settings import SETTINGS, Settings, SettingsError
from app.config.usage_rules import UsageRules
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
    questions: Questions = field(default=NO_QUESTIONS)


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

    @cached_property
    def has_logo(self) -> bool:
        """Return whether any product has a logo: then no page shows Foyer's own mark."""
        return any(product.brand.logo for product in self.values())

    @cached_property
    def max_answer_characters(self) -> int:
        """How many characters the longest answers to the questions of one product have."""
        return max((product.questions.max_characters for product in self.values()), default=0)

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
    if settings.products_file:
        products = read_file(settings.products_file)
    else:
        products = _parse_products(_tables_from_settings(settings), None)
    return Products(products, sends_mail=bool(settings.mail_from))


def read_file(path: Path) -> dict[str, Product]:
    """Return the products of a products file.

    Raises:
        SettingsError: it cannot be read, or has faults. Each of them is named.
    """
    return _parse_products(_tables_from_file(path), path)


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


def _parse_products(tables: Mapping[str, object], path: Path | None) -> dict[str, Product]:
    products: dict[str, Product] = {}
    faults: list[str] = []
    for code, table in tables.items():
        try:
            products[code] = _parse_product(code, table, path)
        except SettingsError as error:
            faults += error.problems
    if faults:
        raise SettingsError(*faults)
    return products


def _parse_product(code: str, table: object, path: Path | None) -> Product:
    name = f"products.{shown(code)}"
    if not isinstance(table, dict):
        raise SettingsError(f"{path}, [{name}]: it must be a table.")
    values = {**table, "code": code}
    parts, faults = product_parts.read(name, values, path) if path else ({}, [])
    accepted, problems = fields.read(Product, values)
    for field_name in problems:
        place = f"{path}, [{name}] {shown(field_name)}" if path else _setting_name(field_name).upper()
        faults.append(f"{place}: {_describe_problem(field_name, values.get(field_name))}")
    if faults:
        raise SettingsError(*faults)
    return Product(**accepted, **parts)


def _describe_problem(name: str, value: object) -> str:
    if name not in PRODUCT_FIELDS:
        others = ", ".join(other for other in PRODUCT_FIELDS if other != "code")
        return f"there is no such field. The fields are {others}, usage, texts, brand and questions."
    if value is None:
        return f"it is not set. {SETTINGS[_setting_name(name)].description}"
    text = value if isinstance(value, str) else ""
    if fault := stray_characters.find_quotes_around(text):
        return f"it has {fault}."
    find_fault = stray_characters.find_in_text if name in TEXT_FIELDS else stray_characters.find_in_code
    fault = find_fault(text)
    return f"it must be {PRODUCT_FIELDS[name].description}.{f' It has {fault}.' if fault else ''}"


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
