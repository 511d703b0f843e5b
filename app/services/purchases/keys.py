"""Purchase keys: what tells one purchase from every other."""

from app.aws.customer import Customer


def purchase_key(customer: Customer) -> str:
    """Return what tells this purchase from every other: the license or, on old listings, product and customer."""
    return license_id(customer.license_arn) if customer.license_arn else key_without_license(customer)


def license_id(license_arn: str) -> str:
    """Return what stands after the last colon or slash of a license's ARN.

    Events spell the rest of the ARN in other ways than ResolveCustomer does:
    https://docs.aws.amazon.com/marketplace/latest/userguide/notifications-eventbridge.html
    """
    return license_arn.rpartition(":")[2].rpartition("/")[2] or license_arn


def key_without_license(customer: Customer) -> str:
    """Return the purchase key of a customer of whom AWS told no license."""
    if customer.customer_identifier:
        return f"{customer.product_code}/{customer.customer_identifier}"
    # One account may buy twice; its agreement tells the purchases apart.
    return "/".join(filter(None, (customer.product_code, customer.customer_aws_account_id, customer.agreement_id)))
