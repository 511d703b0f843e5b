"""A fake ResolveCustomer that costs almost no CPU time; the token says how long AWS takes.

`python -m tests.bench.fake_aws` prints its port and serves until its process ends. A token starts with the response
time in milliseconds, as four digits. The same token always has the same license; a new token has a new one.
"""

import asyncio
import re
from hashlib import md5

from tests.support import aws_http_server

PRODUCT_CODE = "benchcode1234567890"
TOKEN_MILLISECONDS = re.compile(rb'"RegistrationToken": *"(\d{4})')
RESPONSE_BODY = (
    b'{"CustomerIdentifier":"","ProductCode":"%b","CustomerAWSAccountId":"012345678901",'
    b'"LicenseArn":"arn:aws:license-manager::294406891311:license:l-%b",'
    b'"Metadata":{"AgreementId":"agmt-4mwg1nevbokzw95eca5797ixs"}}'
)


def resolve_customer(_head: bytes, request: bytes) -> tuple[float, bytes]:
    """Return the response time in seconds and the response's body."""
    milliseconds = TOKEN_MILLISECONDS.search(request)
    license_id = md5(request, usedforsecurity=False).hexdigest()
    response_body = RESPONSE_BODY % (PRODUCT_CODE.encode(), license_id.encode())
    return int(milliseconds[1]) / 1000 if milliseconds else 0, response_body


if __name__ == "__main__":
    asyncio.run(aws_http_server.serve_forever(resolve_customer))
