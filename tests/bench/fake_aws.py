"""An AWS endpoint that costs next to nothing: it answers ResolveCustomer after the wait that the token asks for.

`python -m tests.bench.fake_aws` prints its port and serves until it is ended. A token begins with its wait in
milliseconds, as four digits. The same token always has the same license; a new token has a new one.
"""

import asyncio
import re
from hashlib import md5

from tests.support import aws_http_server

PRODUCT_CODE = "benchcode1234567890"
TOKEN_WAIT = re.compile(rb'"RegistrationToken": *"(\d{4})')
RESPONSE_BODY = (
    b'{"CustomerIdentifier":"","ProductCode":"%b","CustomerAWSAccountId":"012345678901",'
    b'"LicenseArn":"arn:aws:license-manager::294406891311:license:l-%b",'
    b'"Metadata":{"AgreementId":"agmt-4mwg1nevbokzw95eca5797ixs"}}'
)


def resolve_customer(_head: bytes, request: bytes) -> tuple[float, bytes]:
    """Return how long the request's token asks to be kept waiting, and AWS's answer to one ResolveCustomer."""
    asked = TOKEN_WAIT.search(request)
    license_id = md5(request, usedforsecurity=False).hexdigest()
    return int(asked[1]) / 1000 if asked else 0, RESPONSE_BODY % (PRODUCT_CODE.encode(), license_id.encode())


if __name__ == "__main__":
    asyncio.run(aws_http_server.serve_forever(resolve_customer))
