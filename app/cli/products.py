"""foyer products: checks the products file. It needs no other setting, and no database."""

import os
from collections.abc import Iterator
from pathlib import Path

import click
from flask.cli import load_dotenv
from flask.helpers import get_load_dotenv

from app.cli import tables
from app.config import products
from app.config.brand import NO_BRAND, Brand
from app.config.products import Product
from app.config.questions import ALWAYS_FIRST
from app.config.settings import SettingsError
from app.config.usage_rules import USAGE_FIELDS, UsageRules

SHADES = {"light": "accent", "dark": "accent_dark"}


@click.group("products")
def command() -> None:
    """Check the products file."""


@command.command("check")
@click.argument("file", required=False, type=click.Path(path_type=Path))
def check(file: Path | None) -> None:
    """Read the products file and print what it says, or what is wrong.

    FILE is that of PRODUCTS_FILE, unless you name another. With a fault, the exit status is 1: run this in CI.
    """
    if file is None and get_load_dotenv():
        load_dotenv()
    path = file or Path(os.environ.get("PRODUCTS_FILE", ""))
    if path == Path():
        raise click.UsageError("PRODUCTS_FILE is not set. Name the file: foyer products check FILE")
    try:
        configured = products.read_file(path)
    except SettingsError as error:
        raise click.ClickException(describe_faults(path, error)) from None
    click.echo("\n\n".join("\n".join(_describe(product)) for product in configured.values()))


def describe_faults(path: Path | None, error: SettingsError) -> str:
    """Return what is wrong with the file, or with the settings where there is none: a line for each fault."""
    faults = "\n".join(tables.escape_unprintable(problem) for problem in error.problems)
    return f"{path or 'The configuration'} has faults:\n{faults}"


def _describe(product: Product) -> Iterator[str]:
    yield tables.escape_unprintable(f"{product.code}: {product.name}")
    yield f"  brand      {', '.join(_describe_brand(product.brand)) or 'none: it looks as Foyer does'}"
    yield f"  questions  {', '.join([*ALWAYS_FIRST, *_describe_questions(product)])}"
    yield f"  usage      {', '.join(_describe_usage(product.usage)) or 'the defaults'}"


def _describe_brand(brand: Brand) -> Iterator[str]:
    for name, value in vars(brand).items():
        if value == getattr(NO_BRAND, name):
            continue
        if name in SHADES:
            yield f"{SHADES[name]} {value.accent}"
        else:
            yield f"{name} {value}" if isinstance(value, str | bool) else name


def _describe_questions(product: Product) -> Iterator[str]:
    asked = {question.id: question for question in product.questions.asked}
    for name in product.questions.order:
        if name == "account" and not product.handoff_url:
            continue
        if question := asked.get(name):
            yield f"{name} ({question.type}{', required' if question.required else ''})"
        else:
            yield name


def _describe_usage(rules: UsageRules) -> Iterator[str]:
    defaults = UsageRules()
    for name in USAGE_FIELDS:
        if (value := getattr(rules, name)) != getattr(defaults, name):
            yield f"{name} {tables.escape_unprintable(str(value))}"
