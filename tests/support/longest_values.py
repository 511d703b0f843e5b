"""The longest value of every field that can reach the head of a response, and how long that head is."""

import json
import random
import string
from http import HTTPStatus
from pathlib import Path

from werkzeug.test import TestResponse

MAX_HEAD_BYTES = 4096
# What gunicorn adds to each response.
SERVER_HEADERS = "\r\n".join(
    [
        "Server: gunicorn",
        "Date: Sat, 28 Nov 2026 23:03:53 GMT",
        "Connection: keep-alive",
        "Transfer-Encoding: chunked",
        "",
    ]
)
# Seeded: a text that compresses badly, and the same one in each run.
RANDOM = random.Random(4096)  # noqa: S311  # no secret
ID_CHARACTERS = string.ascii_letters + string.digits + "-=_.@"
HAN = "".join(map(chr, range(0x4E00, 0x9FA5)))
ASTRAL = "".join(map(chr, range(0x20000, 0x2A6D6)))


def text(length: int, characters: str = ID_CHARACTERS) -> str:
    """Return random text of these characters."""
    return "".join(RANDOM.choices(characters, k=length))


SITE_URL = f"https://{'.'.join([text(61, string.ascii_lowercase)] * 4)}.example"
PRODUCT_CODE = text(255)
# The members of ResolveCustomer's answer, each as long as the database's column.
CUSTOMER: dict[str, object] = {
    "ProductCode": PRODUCT_CODE,
    "CustomerIdentifier": text(255),
    "CustomerAWSAccountId": text(255, string.digits),
    "LicenseArn": f"arn:aws:license-manager::294406891311:license:l-{text(550)}",
    "Metadata": {"AgreementId": text(64)},
}
OFFER_TYPE = text(64)
ACCOUNT_URL = f"https://app.acme.example/{text(2048 - 25)}"
REFERENCE = text(255)
ANSWERS = {
    "company": text(200, HAN),
    "full_name": text(200, HAN),
    "email": f"{text(64, string.ascii_letters)}@{text(180, string.ascii_letters)}.example",
    "phone": text(50, string.digits),
    "account": "existing",
    "existing_account": text(200, HAN),
    "notes": text(2000, HAN),
}


def write_products_file(folder: Path, handoff_url: str) -> Path:
    """Write the TOML file of one product with the longest code, name, addresses and texts; return its path."""
    fields = {
        "name": text(200, HAN),
        "sign_in_url": f"https://app.acme.example/{text(2048 - 25)}",
        "support_email": f"{text(60, string.ascii_letters)}@{text(180, string.ascii_letters)}.example",
        "handoff_url": handoff_url,
        "ready_within": text(100, HAN),
    }
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    path = folder / "products.toml"
    path.write_text("\n".join([f'[products."{PRODUCT_CODE}"]', *lines, ""]), encoding="utf-8")
    return path


def head_bytes(response: TestResponse) -> int:
    """Return how long the response's head is when gunicorn sends it."""
    status_line = f"HTTP/1.1 {response.status_code} {HTTPStatus(response.status_code).phrase}\r\n"
    headers = "".join(f"{name}: {value}\r\n" for name, value in response.headers)
    return len(f"{status_line}{SERVER_HEADERS}{headers}\r\n".encode("latin-1"))
