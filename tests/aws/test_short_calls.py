"""Short calls send what botocore's own client sends, signed, and give and raise what it does."""

import re
from typing import Any

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, EndpointConnectionError

from app.aws.short_calls import ShortCall
from tests.support.aws_http_server import AwsHttpServer
from tests.support.ports import free_port
from tests.support.scripted_aws import AwsResponse, ScriptedAws

TOKEN = "0000" + "a/+=" * 60
ACCESS_KEY, SECRET_KEY, SESSION_TOKEN = "AKIDEXAMPLE", "not-a-secret", "session token"
# Of botocore's retries, and of the moment.
OTHER_HEADERS = {"amz-sdk-invocation-id", "amz-sdk-request", "authorization", "x-amz-date"}


def new_client(endpoint_url: str | None, region: str = "us-east-1", **options: Any) -> Any:
    session: Any = botocore.session.Session()
    session.set_credentials(ACCESS_KEY, SECRET_KEY, SESSION_TOKEN)
    config = Config(user_agent="foyer", retries={"mode": "standard", "total_max_attempts": 1}, **options)
    return session.create_client("meteringmarketplace", region, endpoint_url=endpoint_url, config=config)


def parse_request(head: bytes) -> tuple[str, dict[str, str]]:
    request_line, *lines = head.decode().split("\r\n")
    return request_line, {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def signature(url: str, headers: dict[str, str], body: bytes) -> str:
    """Return the signature that these headers and this body should have."""
    signed = re.findall(r"[^;]+", re.findall("SignedHeaders=([^,]+)", headers["authorization"])[0])
    request = AWSRequest("POST", f"{url}/", {name: headers[name] for name in signed}, data=body)
    request.context["timestamp"] = headers["x-amz-date"]
    auth = SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "aws-marketplace", "us-east-1")
    text: str = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    return text


def outcome(call: Any) -> tuple[object, object]:
    """Return AWS's error or answer, and the HTTP status."""
    try:
        answer = call(RegistrationToken=TOKEN)
    except ClientError as error:
        return error.response["Error"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    return answer, answer.pop("ResponseMetadata")["HTTPStatusCode"]


def test_short_call_sends_the_clients_request_and_signs_it() -> None:
    received: list[tuple[bytes, bytes]] = []

    def respond(head: bytes, body: bytes) -> tuple[float, bytes]:
        received.append((head, body))
        return 0, b'{"ProductCode": "acme", "CustomerAWSAccountId": "111122223333", "Unknown": 1}'

    with AwsHttpServer(respond) as server:
        client = new_client(server.url)
        by_client = client.resolve_customer(RegistrationToken=TOKEN)
        by_short_call = ShortCall(client, "ResolveCustomer")(RegistrationToken=TOKEN)

    (client_line, client_headers), (line, headers) = (parse_request(head) for head, _ in received)
    assert line == client_line
    assert received[0][1] == received[1][1]
    assert headers == {
        **{name: value for name, value in client_headers.items() if name not in OTHER_HEADERS},
        "authorization": headers["authorization"],
        "x-amz-date": headers["x-amz-date"],
    }
    assert headers["authorization"].endswith(f"Signature={signature(server.url, headers, received[1][1])}")
    assert {**by_short_call, "ResponseMetadata": None} == {**by_client, "ResponseMetadata": None}


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "us-gov-west-1", "cn-northwest-1"])
@pytest.mark.parametrize("use_fips_endpoint", [False, True])
def test_short_call_goes_to_the_clients_endpoint(region: str, use_fips_endpoint: bool) -> None:
    client = new_client(None, region, use_fips_endpoint=use_fips_endpoint)

    assert ShortCall(client, "ResolveCustomer").url == f"{client.meta.endpoint_url}/"


@pytest.mark.parametrize(
    "response",
    [
        AwsResponse(400, {"__type": "ExpiredTokenException", "message": "It has expired."}),
        AwsResponse(500, "not JSON"),
        AwsResponse(503, {}),
        AwsResponse(200, "not JSON"),
    ],
    ids=["refused", "failed", "unavailable", "unreadable"],
)
def test_short_call_gives_and_raises_what_the_client_does(response: AwsResponse) -> None:
    with ScriptedAws([response]) as aws:
        client = new_client(aws.url)

        assert outcome(ShortCall(client, "ResolveCustomer")) == outcome(client.resolve_customer)


def test_short_call_without_a_server_raises_the_clients_error() -> None:
    with pytest.raises(EndpointConnectionError):
        ShortCall(new_client(f"http://127.0.0.1:{free_port()}"), "ResolveCustomer")(RegistrationToken=TOKEN)
