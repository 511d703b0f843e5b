"""The sandbox's AWS once more, on a port of its own, where each call is recorded: who made it, its action and resource.

It also hands out the credentials of the task role, as ECS does to a task's containers.
"""

import json
import re
import threading
from collections.abc import Iterable
from io import BytesIO
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from werkzeug.wrappers import Request, Response

from sandbox.aws_endpoint import AwsEndpoint
from sandbox.marketplace import Marketplace
from sandbox.server import ThreadedServer
from tests.support.template_values import PSEUDO_PARAMETERS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

CREDENTIALS_PATH = "/task-role"
TASK_ROLE, EXECUTION_ROLE = "ASIATASKROLE", "ASIAEXECUTIONROLE"
CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/aws4_request")
REGION, ACCOUNT = PSEUDO_PARAMETERS["AWS::Region"], PSEUDO_PARAMETERS["AWS::AccountId"]
OPERATIONS_BY_PATH = {
    "/v2/email/outbound-emails": "SendEmail",
    "/ListEntities": "ListEntities",
    "/DescribeEntity": "DescribeEntity",
}
# What AWS needs no permission for.
ALWAYS_ALLOWED = {"sts:GetCallerIdentity"}


class AwsCall(NamedTuple):
    """One call: the access key, the IAM action, and the ARNs that IAM compares with a statement's resources."""

    caller: str
    action: str
    resources: tuple[str, ...]


class RecordedAws:
    """Serves AWS inside a `with` block; only calls with the credentials of a role are recorded."""

    def __init__(self, marketplace: Marketplace) -> None:
        self.calls: list[AwsCall] = []
        self._aws = AwsEndpoint(marketplace)
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._server = ThreadedServer(self, 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()

    @property
    def url(self) -> str:
        """The value for AWS_ENDPOINT_URL."""
        return self._server.url

    @property
    def credentials_url(self) -> str:
        """The value for AWS_CONTAINER_CREDENTIALS_FULL_URI."""
        return f"{self._server.url}{CREDENTIALS_PATH}"

    def calls_of(self, caller: str) -> set[AwsCall]:
        """Return the different calls of one access key, but for those that need no permission."""
        with self._lock:
            return {call for call in self.calls if call.caller == caller and call.action not in ALWAYS_ALLOWED}

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Record the request, and pass it to the sandbox."""
        if environ["PATH_INFO"] == CREDENTIALS_PATH:
            return _credentials()(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        call = _read_call(Request(environ, populate_request=False, shallow=True), body)
        if call:
            with self._lock:
                self.calls.append(call)
        return self._aws(environ, start_response)


def _credentials() -> Response:
    values = {
        "AccessKeyId": TASK_ROLE,
        "SecretAccessKey": "secret",
        "Token": "token",
        "Expiration": "2099-01-01T00:00:00Z",
    }
    return Response(json.dumps(values), mimetype="application/json")


def _read_call(request: Request, body: bytes) -> AwsCall | None:
    signed = CREDENTIAL.search(request.headers.get("Authorization", ""))
    if not signed or signed[1] not in (TASK_ROLE, EXECUTION_ROLE):
        return None
    caller, service = signed.groups()
    operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
    if not operation:
        operation = OPERATIONS_BY_PATH.get(request.path) or _query_action(body)
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html: a batch needs the
    # permission of its operation.
    values = _parameters(body) | request.args
    return AwsCall(caller, f"{service}:{operation.removesuffix('Batch')}", _resources(service, values))


def _query_action(body: bytes) -> str:
    found = re.search(rb"(?:^|&)Action=([A-Za-z]+)", body)
    return found[1].decode() if found else "unknown"


def _parameters(body: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(body))
    except ValueError:
        return {}


def _resources(service: str, values: dict[str, Any]) -> tuple[str, ...]:
    """Return the ARNs that the call is about; none where the action knows no resources."""
    match service:
        case "sqs":
            name = values["QueueName"] if "QueueName" in values else values["QueueUrl"].rpartition("/")[2]
            return (arn_of("sqs", name),)
        case "secretsmanager":
            return (values["SecretId"],)
        case "aws-marketplace" if "entityId" in values:
            return (arn_of("aws-marketplace", f"{values['catalog']}/SaaSProduct/{values['entityId']}"),)
        case "events" if "Name" in values:
            return (arn_of("events", f"rule/{values['Name']}"),)
        case "ses":
            sender = values["FromEmailAddress"].rstrip(">").rpartition("@")[2]
            named = values.get("ConfigurationSetName")
            sets = (arn_of("ses", f"configuration-set/{named}"),) if named else ()
            return (arn_of("ses", f"identity/{sender}"), *sets)
    return ()


def arn_of(service: str, rest: str) -> str:
    """Return the ARN of something in the account and Region of the tests."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"
