"""Bodies that no browser sends: each is answered with a page or a plain status, and nothing of it is kept."""

import pytest
import requests

from sandbox.server import Sandbox
from tests import factories
from tests.factories import ANSWERS, TOKEN
from tests.hostile import wire
from tests.hostile.conftest import Door
from tests.hostile.wire import chunked, post
from tests.pages import check_page, csrf_token

NAMED = f"{TOKEN}=".encode()
MULTIPART = "Content-Type: multipart/form-data; boundary=b"
CHUNKED = "Transfer-Encoding: chunked"


def part(name: str, value: str) -> bytes:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


# What is odd -> what is sent, and the status of the page it gets.
PAGES = {
    "too large, and says so": (post(b"x" * 100_000), 413),
    "too large, says so and never comes": (post(b"", length=10**12), 413),
    "a length of more digits than a number may have": (post(b"x", f"Content-Length: {'9' * 5000}"), 400),
    "too large, in chunks": (post(chunked(*[b"x" * 1000] * 100) + b"0\r\n\r\n", CHUNKED), 413),
    "100,000 fields": (post(b"a=1&" * 100_000), 413),
    "as many fields as fit": (post(b"a&" * 32_000), 400),
    "the same field twice": (post(NAMED + b"&" + NAMED + b"second"), 400),
    "null bytes": (post(NAMED + b"\x00%00\x00"), 400),
    "another encoding": (post(f"{TOKEN}=abc".encode("utf-16"), f"Content-Type: {wire.FORM}; charset=utf-16"), 400),
    "bytes of no encoding": (post(NAMED + b"\xff\xfe\xed\xa0\x80"), 400),
    "escapes of no encoding": (post(NAMED + b"%ff%fe%ed%a0%80%zz%"), 400),
    "another kind of content": (post(b'{"a": 1}', "Content-Type: application/json"), 400),
    "no content type that could be read": (post(NAMED + b"abc", "Content-Type: ;;=\xff"), 400),
    "multipart without a boundary": (post(part("a", "b"), "Content-Type: multipart/form-data"), 400),
    "multipart with an odd boundary": (post(part("a", "b"), 'Content-Type: multipart/form-data; boundary="\xff"'), 400),
    "multipart that breaks off": (post(part("a", "b")[:-10], MULTIPART), 400),
    "multipart of nothing but an end": (post(b"--b--", MULTIPART), 400),
    "multipart with an endless header": (post(b"--b\r\nA: " + b"x" * 60_000, MULTIPART), 400),
    "multipart of 1,000 parts": (post(part("a", "b") * 1000 + b"--b--", MULTIPART), 413),
    "a file for a token": (post(part(f'{TOKEN}"; filename="t', "x") + b"--b--", MULTIPART), 400),
    "no body at all": (post(b""), 400),
}
BROKEN_OFF = {
    "a body that breaks off": post(NAMED + b"abc", length=500),
    "a chunk that breaks off": post(b"ff\r\n" + NAMED, CHUNKED),
    "chunks without an end": post(chunked(NAMED), CHUNKED),
    "a chunk of no size": post(b"zz\r\nabc\r\n0\r\n\r\n", CHUNKED),
    "a chunk longer than it says": post(b"3\r\nabcdef\r\n0\r\n\r\n", CHUNKED),
    "a chunk with an odd extension": post(b"3;\x00=\r\nabc\r\n0\r\n\r\n", CHUNKED),
}


@pytest.mark.parametrize(("request_", "status"), PAGES.values(), ids=PAGES)
def test_an_odd_body_gets_a_page_that_helps(door: Door, request_: bytes, status: int) -> None:
    answer = wire.exchange(door.url, request_)

    assert answer.status == status
    if answer.headers["Content-Type"].startswith("text/html"):
        check_page(answer.text)


@pytest.mark.parametrize("request_", BROKEN_OFF.values(), ids=BROKEN_OFF)
def test_a_body_that_is_not_whole_is_not_taken(door: Door, request_: bytes) -> None:
    answer = wire.exchange(door.url, request_, end=True)

    assert answer.status == 400
    check_page(answer.text)


def test_answers_that_broke_off_on_their_way_are_not_kept(door: Door, sandbox: Sandbox) -> None:
    with requests.Session() as buyer:
        page = buyer.post(door.url, data={TOKEN: factories.token(sandbox)}, timeout=10)
        form = {"csrf_token": csrf_token(page.text), **ANSWERS}
        whole = requests.Request("POST", f"{door.url}signup", data=form, cookies=buyer.cookies).prepare()
        assert isinstance(whole.body, str)

        sent = post(
            whole.body[:-5].encode(), f"Cookie: {whole.headers['Cookie']}", path="/signup", length=len(whole.body)
        )
        answer = wire.exchange(door.url, sent, end=True)

        assert answer.status == 400
        assert buyer.get(f"{door.url}welcome", timeout=10).url == f"{door.url}signup"


def test_an_odd_body_leaves_the_next_request_on_its_connection_alone(door: Door) -> None:
    with wire.connect(door.url) as connection:
        connection.sendall(post(b"a&" * 32_000))
        first = wire.hear(connection)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        second = wire.hear(connection)

    assert (first.status, second.status, second.text) == (400, 200, "ok\n")
