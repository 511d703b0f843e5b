"""Whose usage a record is: the license form names a license, the product form names a product and its customer."""

from dataclasses import dataclass
from typing import Literal

from sandbox.aws_errors import InvalidCustomerIdentifier, InvalidLicense, InvalidProductCode
from sandbox.metering.licenses import License, Licenses
from sandbox.metering.requests import WireRecord, WireRequest

Form = Literal["license", "product_code"]


@dataclass(frozen=True)
class Identity:
    """Whose usage a record is. `key` is what AWS compares, beside dimension and hour, to find a duplicate.

    In the product form, which names no license, there may be several, or none.
    """

    form: Form
    key: str
    product_code: str
    licenses: tuple[License, ...]


def identify(request: WireRequest, licenses: Licenses, products: set[str]) -> list[Identity]:
    """Return the identity of each record.

    Raises:
        MeteringError: a record does not name one customer, names an unknown license, or another product.
    """
    if request.ProductCode is not None:
        if request.ProductCode not in products:
            raise InvalidProductCode(f"The product code is not one of this account's products: {request.ProductCode}")
        return [_by_product(record, request.ProductCode, licenses) for record in request.UsageRecords]
    identities = [_by_license(record, licenses) for record in request.UsageRecords]
    if len(codes := {identity.product_code for identity in identities}) > 1:
        raise InvalidLicense(f"A call is for one product, and these licenses are of {', '.join(sorted(codes))}")
    if unsold := codes - products:
        raise InvalidLicense(f"The license is not of one of this account's products: {', '.join(unsold)}")
    return identities


def _by_license(record: WireRecord, licenses: Licenses) -> Identity:
    if record.LicenseArn is None:
        raise InvalidProductCode("ProductCode is required for a record without LicenseArn")
    if record.CustomerIdentifier:
        raise InvalidCustomerIdentifier("CustomerIdentifier can't be used with LicenseArn: use CustomerAWSAccountId")
    if record.CustomerAWSAccountId is None or not record.CustomerAWSAccountId.isdecimal():
        raise InvalidCustomerIdentifier(f"CustomerAWSAccountId is invalid: {record.CustomerAWSAccountId}")
    license_ = licenses.by_arn(record.LicenseArn)
    if license_ is None or license_.account_id != record.CustomerAWSAccountId:
        raise InvalidLicense(f"LicenseArn is invalid or not of the customer: {record.LicenseArn}")
    return Identity("license", record.LicenseArn, license_.product_code, (license_,))


def _by_product(record: WireRecord, product_code: str, licenses: Licenses) -> Identity:
    if record.LicenseArn is not None:
        raise InvalidProductCode("ProductCode can't be used with LicenseArn, which names the product")
    # An empty CustomerIdentifier is what ResolveCustomer returns for new listings.
    named = [value for value in (record.CustomerIdentifier, record.CustomerAWSAccountId) if value]
    if len(named) != 1:
        raise InvalidCustomerIdentifier("Use exactly one of CustomerIdentifier and CustomerAWSAccountId")
    if record.CustomerAWSAccountId and not record.CustomerAWSAccountId.isdecimal():
        raise InvalidCustomerIdentifier(f"CustomerAWSAccountId is invalid: {record.CustomerAWSAccountId}")
    found = licenses.of_customer(product_code, named[0])
    # Both names of a customer are one customer, whose usage of an hour is billed once.
    key = found[0].account_id if found else named[0]
    return Identity("product_code", f"{product_code} {key}", product_code, tuple(found))
