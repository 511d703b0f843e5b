"""SECRET_KEY: what is plainly no random key is refused, also among the earlier keys; no random key is."""

import random
import string

import pytest

from app.config import settings
from app.config.settings import SettingsError
from tests.support import factories


def split(keys: str) -> list[str]:
    return keys.split()


REPEATS = split("""
    aaaaaaaaaaaaaaaa 0000000000000000 ................ abababababababab abcabcabcabcabcabc aaaaaaaabbbbbbbb
    aaaaaaaaaaaaaaab deadbeefdeadbeef 1111222233334444 asdfasdfasdfasdf XXXX-XXXX-XXXX-XXXX aabbccddeeffgghh
    ааааааааааааааааа
""")
SEQUENCES = split("""
    1234567890123456 12345678901234567890 0123456789abcdef fedcba9876543210 abcdefghijklmnop zyxwvutsrqponmlk
    qwertyuiopasdfgh 1q2w3e4r5t6y7u8i 1qaz2wsx3edc4rfv 00112233445566778899aabbccddeeff 000102030405060708090a0b0c0d0e0f
""")
PLACEHOLDERS = split("""
    changemechangeme changeme-changeme ChangeMeChangeMe changeme12345678 please-change-me-now replace-with-a-random-key
    your-secret-key-here insert-secret-key <your-secret-key> secretsecretsecret mysecretmysecret supersecretkey123
    thisisasecretkey not-a-secret-key development-key-1 dev-secret-key-123 passwordpassword p@ssw0rdp@ssw0rd
    P@ssw0rd12345678 sixteen-characters django-insecure-key testtesttesttest SECRET_KEY_SECRET_KEY foyer-secret-key
""")
ALPHABETS = ["0123456789abcdef", string.ascii_letters + string.digits, string.ascii_letters + string.digits + "-_"]


@pytest.mark.parametrize("key", [*REPEATS, *SEQUENCES, *PLACEHOLDERS])
def test_key_that_is_plainly_not_random_is_refused(seller: pytest.MonkeyPatch, key: str) -> None:
    seller.setenv("SECRET_KEY", key)
    seller.setenv("SECRET_KEY_FALLBACKS", f"{factories.SECRET_KEY},{key}")

    with pytest.raises(SettingsError) as raised:
        settings.load()

    _, *problems = str(raised.value).splitlines()
    assert [problem.split(": ")[0].strip() for problem in problems] == ["SECRET_KEY", "SECRET_KEY_FALLBACKS"]
    assert "secrets.token_hex()" in problems[0]
    assert key not in str(raised.value)


@pytest.mark.parametrize("alphabet", ALPHABETS, ids=["hexadecimal", "alphanumeric", "URL-safe"])
@pytest.mark.parametrize("length", [24, 64, 5000])
def test_random_key_is_accepted(seller: pytest.MonkeyPatch, alphabet: str, length: int) -> None:
    choose = random.Random(f"{alphabet}{length}").choices  # noqa: S311  # the same keys in each run

    for _ in range(20):
        seller.setenv("SECRET_KEY", "".join(choose(alphabet, k=length)))
        assert settings.load()
