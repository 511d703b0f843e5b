"""POST to a product through the proxy in HTTPS_PROXY: what it is asked for, what it sees, and what goes without it."""

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import http_client, http_proxy
from app.http_client import RequestLimits
from tests.support import factories, tunnel_proxy
from tests.support.certificates import self_signed
from tests.support.ports import free_port
from tests.support.raw_http_server import OK_STATUS_LINE, RawServer, error_code, serve_raw
from tests.test_http_client import PRIVATE_HOSTS

OK = OK_STATUS_LINE + b"Content-Length: 2\r\n\r\n{}"
NAME = "app.acme.example"
URL = f"https://{NAME}/foyer"
# As an operator types them, percent-encoded or not.
CREDENTIALS = [
    ("acme:sesame@", "acme:sesame"),
    ("acme:p%40ss%3Aw%2Frd@", "acme:p@ss:w/rd"),
    ("acme:p@ss@", "acme:p@ss"),
    ("acme:50%off@", "acme:50%off"),
    ("acme:s%C3%A9same@", "acme:s\u00e9same"),
    ("acme@", "acme:"),
    ("acme:@", "acme:"),
    (":sesame@", ":sesame"),
]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    factories.clear_environment(monkeypatch)
    return monkeypatch


@pytest.fixture
def product(environment: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RawServer]:
    """A product with a trusted certificate for its name, and for localhost."""
    tls, certificate = self_signed(tmp_path, NAME, "localhost")
    environment.setenv("SSL_CERT_FILE", str(certificate))
    with serve_raw(OK, tls=tls) as running:
        yield running


def post(url: str = URL, *, allow_private: bool = False) -> int:
    limits = RequestLimits(allow_private=allow_private)
    return http_client.post(url, b'{"a": 1}', {"webhook-id": "msg_1"}, limits).status


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
def test_name_is_sent_as_it_is_and_the_body_is_encrypted(
    environment: pytest.MonkeyPatch, product: RawServer, variable: str
) -> None:
    with tunnel_proxy.serve(target_port=product.port) as proxy:
        environment.setenv(variable, proxy.url)

        assert post() == 200

    assert proxy.targets == [f"{NAME}:443"]
    assert proxy.headers["Host"] == f"{NAME}:443"
    assert proxy.headers["Proxy-Authorization"] is None
    assert b"msg_1" not in proxy.heads[0]
    assert product.requests[0].endswith(b'\r\n\r\n{"a": 1}')
    assert (product.request_headers["Host"], product.request_headers["webhook-id"]) == (NAME, "msg_1")


@pytest.mark.parametrize(
    ("url", "target"),
    [
        (f"https://{NAME}:8443/foyer", f"{NAME}:8443"),
        (f"HTTPS://{NAME.upper()}/foyer", f"{NAME}:443"),
        ("https://8.8.8.8/foyer", "8.8.8.8:443"),
        ("https://[2001:4860:4860::8888]/foyer", "[2001:4860:4860::8888]:443"),
    ],
)
def test_proxy_is_asked_for_the_host_and_port(environment: pytest.MonkeyPatch, url: str, target: str) -> None:
    with tunnel_proxy.serve(b"HTTP/1.1 502 Bad Gateway\r\n\r\n") as proxy:
        environment.setenv("HTTPS_PROXY", proxy.url)

        assert error_code(lambda: post(url)) == "proxy_502"

    assert proxy.targets == [target]


@pytest.mark.parametrize(("user_info", "expected"), CREDENTIALS)
def test_credentials_go_to_the_proxy_and_not_to_the_product(
    environment: pytest.MonkeyPatch, product: RawServer, user_info: str, expected: str
) -> None:
    with tunnel_proxy.serve(target_port=product.port) as proxy:
        environment.setenv("HTTPS_PROXY", f"http://{user_info}127.0.0.1:{proxy.port}/")

        assert post() == 200

    assert proxy.headers["Proxy-Authorization"] == f"Basic {b64encode(expected.encode()).decode()}"
    assert b"authorization" not in product.requests[0].lower()


@pytest.mark.parametrize("prefix", ["", "//"])
def test_proxy_may_be_named_without_its_scheme(
    environment: pytest.MonkeyPatch, product: RawServer, prefix: str
) -> None:
    with tunnel_proxy.serve(target_port=product.port) as proxy:
        environment.setenv("HTTPS_PROXY", f"{prefix}127.0.0.1:{proxy.port}")

        assert post() == 200


@pytest.mark.parametrize("excluded", ["localhost", "*", "other.example, localhost", ".localhost", "LOCALHOST"])
def test_host_in_no_proxy_is_called_directly(
    environment: pytest.MonkeyPatch, product: RawServer, excluded: str
) -> None:
    environment.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")
    environment.setenv("NO_PROXY", excluded)

    assert post(f"https://localhost:{product.port}/foyer", allow_private=True) == 200


@pytest.mark.parametrize(
    ("excluded", "url"),
    [
        (".acme.example", URL),
        ("acme.example", URL),
        (NAME, URL),
        (f"{NAME}:443", f"https://{NAME}:443/foyer"),
        ("10.0.0.0/8", "https://10.1.2.3/foyer"),
        ("10.1.2.3", "https://10.1.2.3/foyer"),
    ],
)
def test_no_proxy_may_have_names_suffixes_ports_and_networks(
    environment: pytest.MonkeyPatch, excluded: str, url: str
) -> None:
    environment.setenv("HTTPS_PROXY", "http://proxy.acme.example:3128")

    environment.setenv("NO_PROXY", f"other.example, {excluded}")
    assert http_proxy.find(url) is None
    environment.setenv("NO_PROXY", "other.example,acme.example.org,cme.example,11.0.0.0/8,")
    assert str(http_proxy.find(url)) == "http://proxy.acme.example:3128"


def test_password_is_in_no_text_of_the_proxy(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HTTPS_PROXY", "http://acme:sesame@[::1]:3128")

    proxy = http_proxy.find(URL)

    assert str(proxy) == "http://[::1]:3128"
    assert "sesame" not in repr(proxy)
    assert b64encode(b"acme:sesame").decode() not in repr(proxy)


@pytest.mark.parametrize("host", PRIVATE_HOSTS)
def test_private_address_is_refused_before_the_proxy(environment: pytest.MonkeyPatch, host: str) -> None:
    with tunnel_proxy.serve() as proxy:
        environment.setenv("HTTPS_PROXY", proxy.url)

        assert error_code(lambda: post(f"https://{host}/")) == "private_address"
        assert error_code(lambda: post(f"https://{host}:8443/")) == "private_address"

    assert proxy.heads == []


@pytest.mark.parametrize("host", ["localhost.", "LOCALHOST", "app.localhost", "127.0.0.1."])
def test_other_spellings_of_this_machine_are_refused(environment: pytest.MonkeyPatch, host: str) -> None:
    with tunnel_proxy.serve() as proxy:
        environment.setenv("HTTPS_PROXY", proxy.url)

        assert error_code(lambda: post(f"https://{host}/")) == "private_address"

    assert proxy.heads == []


def test_private_address_is_left_to_the_proxy_if_allowed(environment: pytest.MonkeyPatch, product: RawServer) -> None:
    with tunnel_proxy.serve(target_port=product.port) as proxy:
        environment.setenv("HTTPS_PROXY", proxy.url)

        assert post("https://localhost/foyer", allow_private=True) == 200

    assert proxy.targets == ["localhost:443"]


def test_certificate_of_the_product_counts_behind_a_proxy(environment: pytest.MonkeyPatch, product: RawServer) -> None:
    with tunnel_proxy.serve(target_port=product.port) as proxy:
        environment.setenv("HTTPS_PROXY", proxy.url)

        assert error_code(lambda: post("https://other.acme.example/foyer")) == "tls"
        environment.delenv("SSL_CERT_FILE")
        assert error_code(post) == "tls"

    assert product.requests == []
