"""The seller's products, read from products.toml or from the PRODUCT_* settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, cast
from urllib.parse import urlsplit

from flask import Flask, current_app
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator
from pydantic_core import ErrorDetails

from app.config import stray_characters
from app.config.setting_checks import URL_HOST, check_exact
from app.config.settings import Settings, SettingsError
from app.errors import UnknownProduct


def _check_port(url: str) -> str:
    # `port` itself raises ValueError where it is not a number or too large.
    if urlsplit(url).port == 0:
        raise ValueError("there is no port 0")
    return url


# No control characters, which pages must not contain, and at least one visible character.
NAME_PATTERN = r"^\P{Cc}*[^\p{Cc}\s]\P{Cc}*$"
URL_PATTERN = rf"^https?://{URL_HOST}+(/[^\s\p{{C}}\"`<>]*)?$"
Url = Annotated[
    str, Field(pattern=URL_PATTERN, max_length=2048), AfterValidator(_check_port), AfterValidator(check_exact)
]
# Only the address: with a name around it, or with "mailto:" in front, no mail would arrive.
EMAIL_PART_PATTERN = r'[^@\s\p{C}<>()\[\],:;\\"]+'
EMAIL_PATTERN = rf"^{EMAIL_PART_PATTERN}@{EMAIL_PART_PATTERN}\.{EMAIL_PART_PATTERN}$"
EmailAddress = Annotated[str, Field(pattern=EMAIL_PATTERN, max_length=254), AfterValidator(check_exact)]


TEXT_FIELDS = {"name", "ready_within"}


class Product(BaseModel):
    """One listing on AWS Marketplace, and what its buyers see of the product."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    # Each description completes "it must be": the seller reads it in place of the pattern.
    code: str = Field(
        # https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-metering_ResolveCustomer.html
        pattern=r"^[-A-Za-z0-9/=:_.@]+$",
        max_length=255,
        description="a product code of 1 to 255 characters",
    )
    name: str = Field(pattern=NAME_PATTERN, max_length=200, description="text of 1 to 200 characters")
    pricing: Literal["subscription", "contract", "contract-with-consumption"] = Field(
        "subscription", description="subscription, contract or contract-with-consumption"
    )
    sign_in_url: Url = Field(description="an address such as https://app.acme.example/login")
    support_email: EmailAddress = Field(description="an e-mail address such as help@acme.example")
    handoff_url: Url | None = Field(None, description="an address such as https://app.acme.example/foyer")
    handoff_secret_setting: str = Field(
        "HANDOFF_SECRET",
        pattern=r"^[A-Z][A-Z0-9_]{0,99}$",
        description="the name of a setting such as ACME_HANDOFF_SECRET, not the secret itself",
    )
    notify_email: EmailAddress | None = Field(None, description="an e-mail address such as sales@acme.example")
    ready_within: str = Field(
        "one working day",
        pattern=NAME_PATTERN,
        max_length=100,
        description='text that ends "you hear from us within", such as one working day',
    )

    @field_validator("*", mode="before")
    @classmethod
    def _check_stray_characters(cls, value: object) -> object:
        if isinstance(value, str) and (fault := stray_characters.find_quotes_around(value)):
            raise ValueError(f"it has {fault}")
        return value


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
    values = {name: getattr(settings, _setting_name(name), None) for name in Product.model_fields}
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
    try:
        return Product.model_validate({**TypeAdapter(dict[str, object]).validate_python(table), "code": code})
    except ValidationError as error:
        raise SettingsError(*(_describe_error(code, fault, settings) for fault in error.errors())) from None


def _describe_error(code: str, error: ErrorDetails, settings: Settings) -> str:
    field = str(error["loc"][0]) if error["loc"] else ""
    file = settings.products_file
    shown_code = code if code.isprintable() else ascii(code)
    place = f"{file}, [products.{shown_code}] {field}".rstrip() if file else _setting_name(field).upper()
    if not field:
        return f"{place}: it must be a table."
    if field not in Product.model_fields:
        *others, last = (name for name in Product.model_fields if name != "code")
        return f"{place}: there is no such field. The fields are {', '.join(others)} and {last}."
    if error["type"] == "missing":
        return f"{place}: it is not set. {Settings.model_fields[_setting_name(field)].description}"
    if fault := stray_characters.find_quotes_around(str(error["input"])):
        return f"{place}: it has {fault}."
    find_fault = stray_characters.find_in_text if field in TEXT_FIELDS else stray_characters.find_in_code
    fault = find_fault(str(error["input"]))
    return f"{place}: it must be {Product.model_fields[field].description}.{f' It has {fault}.' if fault else ''}"


def _setting_name(field: str) -> str:
    return field if field == "support_email" else f"product_{field}"


def init_app(app: Flask, settings: Settings) -> None:
    """Read the products once, when the application is created."""
    app.extensions["products"] = load(settings)


def current() -> Products:
    """Return the running application's products."""
    return cast(Products, current_app.extensions["products"])
