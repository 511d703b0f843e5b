"""Purchase keys: the natural key that distinguishes one purchase from every other."""

from app.aws.customer import Customer


def purchase_key(customer: Customer) -> str:
    """Return the license's id or, on old listings without licenses, the product and the customer's id."""
    return license_id(customer.license_arn) if customer.license_arn else key_without_license(customer)


def license_id(license_arn: str) -> str:
    """Return what follows the last colon or slash of a license's ARN, the only part that is always spelled the same.

    Events spell the rest of the ARN in other ways than ResolveCustomer does:
    https://docs.aws.amazon.com/marketplace/latest/userguide/notifications-eventbridge.html
    """
    return license_arn.rpartition(":")[2].rpartition("/")[2] or license_arn


def key_without_license(customer: Customer) -> str:
    """Return the purchase key of a customer without a license: AWS names none on old listings, and may leave it out."""
    if customer.customer_identifier:
        return f"{customer.product_code}/{customer.customer_identifier}"
    # One account may buy twice; the agreement distinguishes the two purchases.
    return "/".join(filter(None, (customer.product_code, customer.customer_aws_account_id, customer.agreement_id)))
