"""foyer doctor: the proxy in HTTPS_PROXY, through which hand-offs go; a tunnel is tried, and nothing sent."""

import pytest

from tests.cli.doctor.doctor_output import failed_checks, findings, run_doctor
from tests.support import factories, tunnel_proxy
from tests.support.databases import on_sqlite
from tests.support.ports import free_port

pytestmark = [on_sqlite, pytest.mark.usefixtures("app")]
URL = "https://app.acme.example/foyer"


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    factories.enable_handoffs(environment, URL)
    environment.delenv("HANDOFF_ALLOW_PRIVATE")
    return environment


def test_proxy_is_named_without_its_password(environment: pytest.MonkeyPatch) -> None:
    with tunnel_proxy.serve() as proxy:
        environment.setenv("HTTPS_PROXY", proxy.url.replace("//", "//acme:sesame@"))
        result = run_doctor()

    verdict, finding = findings(result)["hand-offs"]
    assert verdict == "ok"
    assert f"Acme Insights at {URL} through the proxy {proxy.url}. Only a" in finding
    assert "sesame" not in result.output
    assert proxy.targets == ["app.acme.example:443"]


def test_host_in_no_proxy_is_reached_directly(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")
    environment.setenv("NO_PROXY", "acme.example")

    verdict, finding = findings(run_doctor())["hand-offs"]

    assert verdict == "ok"
    assert "proxy" not in finding


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (b"HTTP/1.1 407 No\r\n\r\n", "set HTTPS_PROXY to http://user:password@host:3128"),
        (b"HTTP/1.1 401 No\r\n\r\n", "set HTTPS_PROXY to http://user:password@host:3128"),
        (b"HTTP/1.1 403 No\r\n\r\n", "does not connect to this host"),
        (b"HTTP/1.1 503 No\r\n\r\n", "or name the host in NO_PROXY"),
        (b"", "cannot be reached"),
    ],
)
def test_proxy_that_opens_no_tunnel_fails_with_advice(
    environment: pytest.MonkeyPatch, answer: bytes, advice: str
) -> None:
    with tunnel_proxy.serve(answer) as proxy:
        environment.setenv("HTTPS_PROXY", f"http://acme:sesame@127.0.0.1:{proxy.port}")
        result = run_doctor()

    failure = failed_checks(result)["hand-offs"]
    assert failure.startswith(f"No hand-off reaches {URL}. ")
    assert advice in failure
    assert failure.endswith(f"(proxy_{answer[9:12].decode() or 'closed'})")
    assert "sesame" not in result.output


def test_url_that_names_no_host_fails(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PRODUCT_HANDOFF_URL", "https://[2001:4860:4860::8888]x/foyer")

    assert "Correct handoff_url: it names no host. (url)" in failed_checks(run_doctor())["hand-offs"]


@pytest.mark.parametrize("url", ["socks5://127.0.0.1:1080", "ftp://127.0.0.1:3129", "http://:3128"])
def test_invalid_proxy_fails_with_an_example(environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("HTTPS_PROXY", url)

    failure = failed_checks(run_doctor())["hand-offs"]

    assert "Set HTTPS_PROXY to the URL of an HTTP proxy, such as http://proxy.acme.example:3128." in failure
