"""The load balancer of the tests behaves as the template describes it, and as AWS documents the rest."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email.message import Message
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.production.stack import PARAMETERS
from tests.support import templates
from tests.support.load_balancer import LoadBalancer, read_listeners
from tests.support.ports import free_port
from tests.support.target_group import Address, HealthCheck
from tests.support.template_values import TemplateValues

# With the template's waits of ten and twenty seconds divided by this, a target is healthy in an instant.
SPEED = 500
TEMPLATE = templates.load(templates.PRODUCTION)


class Server:
    """A target that records its requests and answers with a status."""

    def __init__(self) -> None:
        self.status = 200
        self.requests: list[tuple[str, str, Message]] = []
        self.checks: list[Message] = []
        self.checked = threading.Condition()

    @property
    def address(self) -> Address:
        return Address("127.0.0.1", self.port)

    @contextmanager
    def running(self) -> Iterator["Server"]:
        target = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with target.checked:
                    if self.headers["User-Agent"] == "ELB-HealthChecker/2.0":
                        target.checks.append(self.headers)
                    else:
                        target.requests.append((self.command, self.path, self.headers))
                    target.checked.notify_all()
                self.send_response_only(target.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.port = int(server.server_address[1])
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            yield self
            server.shutdown()

    def wait_for_checks(self, more: int) -> None:
        """Wait until the load balancer has checked this target so often."""
        with self.checked:
            wanted = len(self.checks) + more
            assert self.checked.wait_for(lambda: len(self.checks) >= wanted, 10)


@pytest.fixture
def balancer() -> Iterator[LoadBalancer]:
    names = dict.fromkeys(TEMPLATE["Resources"], "made")
    values = TemplateValues(TEMPLATE, {**PARAMETERS, "Image": "foyer:1"}, names)
    listeners = [values.properties(name) for name in ("Https", "RedirectToHttps")]
    check = HealthCheck.from_properties(values.properties("WebTargets"), SPEED)
    with LoadBalancer(read_listeners(listeners, [values.properties("HideMetrics")]), check) as balancer:
        yield balancer


@pytest.fixture
def server() -> Iterator[Server]:
    with Server().running() as server:
        yield server


def get(port: int, path: str = "/", **headers: str) -> tuple[int, Message]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", path, headers={"Host": "start.acme.example", **sent})
        response = connection.getresponse()
        response.read()
        return response.status, response.headers


def register(balancer: LoadBalancer, server: Server) -> None:
    """Register the server, and wait until it is healthy."""
    balancer.targets.register(server.address)
    server.wait_for_checks(3)
    assert balancer.targets.state(server.address) == "healthy"


def test_target_gets_the_host_and_the_forwarded_headers(balancer: LoadBalancer, server: Server) -> None:
    register(balancer, server)

    get(balancer.https_port, "/signup?a=b", X_Forwarded_For="203.0.113.7", X_Forwarded_Proto="http")

    [(method, path, headers)] = server.requests
    assert (method, path, headers["Host"]) == ("GET", "/signup?a=b", "start.acme.example")
    assert headers["X-Forwarded-For"] == "203.0.113.7, 127.0.0.1"
    assert (headers.get_all("X-Forwarded-Proto"), headers["X-Forwarded-Port"]) == (["https"], "443")


def test_health_check_names_the_target_and_itself(balancer: LoadBalancer, server: Server) -> None:
    register(balancer, server)

    assert server.checks[0]["Host"] == f"127.0.0.1:{server.port}"


def test_unhealthy_target_gets_no_requests_while_another_is_healthy(balancer: LoadBalancer, server: Server) -> None:
    with Server().running() as other:
        register(balancer, server)
        register(balancer, other)
        server.status = 503
        server.wait_for_checks(5)
        for _ in range(4):
            get(balancer.https_port)

        assert (balancer.targets.state(server.address), len(server.requests), len(other.requests)) == (
            "unhealthy",
            0,
            4,
        )


def test_healthy_targets_take_turns_and_a_removed_one_gets_nothing(balancer: LoadBalancer, server: Server) -> None:
    with Server().running() as other:
        register(balancer, server)
        register(balancer, other)
        for _ in range(4):
            get(balancer.https_port)
        balancer.targets.deregister(server.address)
        get(balancer.https_port)

        assert (len(server.requests), len(other.requests)) == (2, 3)


def test_metrics_are_refused_and_other_paths_are_not(balancer: LoadBalancer, server: Server) -> None:
    register(balancer, server)

    statuses = [get(balancer.https_port, path)[0] for path in ("/metrics", "/metrics?a=b", "/metricsx")]

    assert statuses == [404, 404, 200]
    assert [path for _, path, _ in server.requests] == ["/metricsx"]


def test_plain_http_is_redirected_with_path_and_query(balancer: LoadBalancer) -> None:
    status, headers = get(balancer.http_port, "/signup?a=b")

    assert (status, headers["Location"]) == (301, "https://start.acme.example:443/signup?a=b")


def test_missing_and_dead_targets_are_gateway_errors(balancer: LoadBalancer) -> None:
    without = get(balancer.https_port)[0]
    balancer.targets.register(Address("127.0.0.1", free_port()))
    dead = get(balancer.https_port)[0]

    assert (without, dead) == (503, 502)
    assert [failed.was_sent for failed in balancer.gateway_errors] == [False, False]
