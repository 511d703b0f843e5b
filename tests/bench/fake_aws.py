"""A fake ResolveCustomer that costs almost no CPU time; the token says how long AWS takes.

`python -m tests.bench.fake_aws` prints its port and serves until its process ends. A token starts with the response
time in milliseconds, as four digits. The same token always has the same purchase; a new token is another customer's.
"""

import asyncio
import re
from hashlib import md5

from tests.support import aws_http_server

PRODUCT_CODE = "benchcode1234567890"
TOKEN_MILLISECONDS = re.compile(rb'"RegistrationToken": *"(\d{4})')
RESPONSE_BODY = (
    '{"CustomerIdentifier":"","ProductCode":"%s","CustomerAWSAccountId":"%s",'
    '"LicenseArn":"arn:aws:license-manager::294406891311:license:l-%s",'
    '"Metadata":{"AgreementId":"agmt-%s"}}'
)


def account_id(name: str) -> str:
    """Return the AWS account, of twelve digits, of the purchase that has this hexadecimal name in its ids."""
    return f"{int(name, 16) % 10**12:012}"


def resolve_customer(_head: bytes, request: bytes) -> tuple[float, bytes]:
    """Return the response time in seconds and the response's body."""
    milliseconds = TOKEN_MILLISECONDS.search(request)
    name = md5(request, usedforsecurity=False).hexdigest()
    response_body = RESPONSE_BODY % (PRODUCT_CODE, account_id(name), name, name)
    return int(milliseconds[1]) / 1000 if milliseconds else 0, response_body.encode()


if __name__ == "__main__":
    asyncio.run(aws_http_server.serve_forever(resolve_customer))
