"""Registration tokens: their format, and that only their own sandbox accepts them."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest

from sandbox import registration_tokens
from sandbox.aws_errors import InvalidToken

KEY = b"a key"


def test_token_is_base64_with_plus_slash_and_padding() -> None:
    minted = [registration_tokens.mint(KEY, uuid4()) for _ in range(200)]

    assert all(re.fullmatch(r"[A-Za-z0-9+/]{182}==", token) for token in minted)
    assert all("+" in token and "/" in token for token in minted)


def test_token_verifies_to_its_purchase() -> None:
    purchase_id = uuid4()

    verified_id = registration_tokens.verify(KEY, registration_tokens.mint(KEY, purchase_id))

    assert verified_id == purchase_id


def test_tokens_of_one_purchase_all_differ() -> None:
    purchase_id = uuid4()

    minted = {registration_tokens.mint(KEY, purchase_id) for _ in range(10)}

    assert len(minted) == 10


def test_token_signed_with_another_key_is_invalid() -> None:
    token = registration_tokens.mint(b"another key", uuid4(), timedelta(hours=1))

    with pytest.raises(InvalidToken):
        registration_tokens.verify(KEY, token)
