"""Registration tokens: their look, and that nobody else can make one."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest

from sandbox import registration_tokens
from sandbox.aws_errors import InvalidToken

KEY = b"a key"


def test_a_token_is_base64_with_all_the_characters_that_get_spoilt_on_the_way() -> None:
    minted = [registration_tokens.mint(KEY, uuid4()) for _ in range(200)]

    assert all(re.fullmatch(r"[A-Za-z0-9+/]{182}==", token) for token in minted)
    assert all("+" in token and "/" in token for token in minted)


def test_a_token_names_its_purchase() -> None:
    purchase_id = uuid4()

    found = registration_tokens.verify(KEY, registration_tokens.mint(KEY, purchase_id))

    assert found == purchase_id


def test_no_two_tokens_of_a_purchase_are_the_same() -> None:
    purchase_id = uuid4()

    minted = {registration_tokens.mint(KEY, purchase_id) for _ in range(10)}

    assert len(minted) == 10


def test_a_token_of_another_sandbox_is_invalid() -> None:
    token = registration_tokens.mint(b"another key", uuid4(), timedelta(hours=1))

    with pytest.raises(InvalidToken):
        registration_tokens.verify(KEY, token)
