"""The doctor's check of the listings: whether AWS bills the dimensions that products.toml names.

AWS's catalog only confirms what the seller has written, so that a catalog which cannot be read is no failure.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import click

from app.aws import catalog
from app.aws.catalog import CatalogAccessDenied, Listings
from app.cli.doctor import aws
from app.config import products
from app.config.products import Product
from app.errors import MarketplaceError

NOT_NEEDED = "Not needed: no product has dimensions in products.toml."
NOT_COMPARED = "The dimensions in products.toml were not compared with the listings':"
ACCESS_DENIED = (
    f"{NOT_COMPARED} these credentials may not read them. Deploy deploy/template.yaml, or deploy/production.yaml, "
    "again: its statements DoctorListsListings and DoctorReadsListings allow aws-marketplace:ListEntities and "
    "aws-marketplace:DescribeEntity. Only the doctor needs them."
)
UNREADABLE = "AWS's answer about the listing has no dimensions that Foyer can read. Compare them by hand."
METERED, ENTITLED = "ExternallyMetered", "Entitled"
NOT_FOUND = (
    "none of the {count} listings that these credentials can read has this product code. Check it, and that their "
    "account published the product."
)


def check_dimensions() -> str:
    """Return that each product's dimensions are on its listing, and which others are there."""
    wanted = {code: product for code, product in products.current().items() if _metered(product)}
    if not wanted:
        return NOT_NEEDED
    try:
        listings = catalog.read_listings(wanted.keys())
    except CatalogAccessDenied as error:
        raise UserWarning(f"{ACCESS_DENIED} ({error.code})") from None
    except MarketplaceError as error:
        raise UserWarning(f"{NOT_COMPARED} {aws.describe(error)}") from None
    compared = [_compare(product, listings) for product in wanted.values()]
    finding = " ".join(text for one in compared for text in one.texts())
    if any(one.faults for one in compared):
        raise click.ClickException(finding)
    if any(one.doubts for one in compared):
        raise UserWarning(finding)
    return finding


@dataclass(frozen=True)
class _Comparison:
    """What is wrong, or may be; a fault is what AWS refuses usage for. Where nothing is, there is a summary."""

    product: Product
    faults: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    summary: str = ""

    def texts(self) -> Iterator[str]:
        for text in (*self.faults, *self.doubts) or (self.summary,):
            yield f"{self.product.name} ({self.product.code}): {text}"


def _compare(product: Product, listings: Listings) -> _Comparison:
    if product.code not in listings.dimensions:
        return _Comparison(product, doubts=(NOT_FOUND.format(count=listings.count),))
    if (listed := listings.dimensions[product.code]) is None:
        return _Comparison(product, doubts=(UNREADABLE,))
    types = {dimension.key: dimension.types for dimension in listed}
    return _Comparison(
        product, tuple(_faults(product, types)), tuple(_doubts(product, types)), _describe(product, types)
    )


def _metered(product: Product) -> list[str]:
    """Return the dimensions by which usage of the product is metered, as far as products.toml names them."""
    return list(dict.fromkeys([*product.usage.dimensions, *dict(product.usage.included)]))


def _including(product: Product) -> list[str]:
    """Return the dimensions of contracts that include metered ones."""
    return list(dict.fromkeys(dict(product.usage.included).values()))


def _faults(product: Product, types: Mapping[str, Collection[str]]) -> Iterator[str]:
    place = f"Correct [products.{product.code}.usage] in products.toml, or the listing."
    if missing := [name for name in (*_metered(product), *_including(product)) if name not in types]:
        yield f"the listing does not have {', '.join(missing)}. It has {', '.join(types) or 'no dimensions'}. {place}"
    if entitled := [name for name in _metered(product) if set(types.get(name, ())) == {ENTITLED}]:
        yield f"on the listing, {', '.join(entitled)} is Entitled only, so AWS refuses usage of it. {place}"


def _doubts(product: Product, types: Mapping[str, Collection[str]]) -> Iterator[str]:
    for name in _metered(product):
        others = set(types.get(name, ())) - {ENTITLED}
        if others and METERED not in others:
            yield f"on the listing, {name} is {', '.join(sorted(others))}. AWS takes usage of what is {METERED}."
    for name in _including(product):
        if types.get(name) and ENTITLED not in types[name]:
            yield f"on the listing, {name} is not {ENTITLED}, so that no contract has an amount of it to include."


def _describe(product: Product, types: Mapping[str, Collection[str]]) -> str:
    found = f"the listing has {', '.join(_metered(product))}."
    others = [name for name, of_it in types.items() if METERED in of_it and name not in product.usage.dimensions]
    if not others or not product.usage.dimensions:
        return found
    return f"{found} It also has {', '.join(others)}, of which Foyer refuses usage: products.toml does not name it."
