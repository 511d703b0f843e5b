"""Calls of one operation without the parts of botocore's call that serve other services: they cost a third of it.

What counts is botocore's own: its serializer and parser, its signer with the credentials, and its HTTP session with the
timeouts, the proxies and the connections. What is left out are the hooks, the retries and the history: a client whose
calls are made once each has no use for them. botocore has no public way to these parts.
"""

from typing import Any, cast

from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError
from botocore.model import OperationModel


class ShortCall:
    """Calls one operation of a client at `url`, once each time."""

    def __init__(self, client: Any, operation: str) -> None:
        self._client = client
        self._model: OperationModel = client.meta.service_model.operation_model(operation)
        # Region and name for the signature are in the context where the endpoint has others than the client.
        self._context: dict[str, Any] = {"client_region": client.meta.region_name, "client_config": client.meta.config}
        url, headers, _ = client._resolve_endpoint_ruleset(self._model, {}, self._context)
        self.url = f"{url.rstrip('/')}{self._model.http['requestUri']}"
        self._headers = {**headers, "User-Agent": client.meta.config.user_agent}

    def __call__(self, **parameters: Any) -> dict[str, Any]:
        """Return AWS's answer to these parameters.

        Raises:
            ClientError: AWS refused the call. All others are as of a call by the client.
        """
        serialized = self._client._serializer.serialize_to_request(parameters, self._model)
        headers = {**serialized["headers"], **self._headers}
        request = AWSRequest(serialized["method"], self.url, headers, data=serialized["body"])
        request.context = dict(self._context)
        self._client._request_signer.sign(self._model.name, request)
        response = self._client._endpoint.http_session.send(request.prepare())
        answer = {"status_code": response.status_code, "headers": response.headers, "body": response.content}
        parsed: dict[str, Any] = self._client._response_parser.parse(answer, self._model.output_shape)
        if response.status_code >= 300:
            raise ClientError(cast(Any, parsed), self._model.name)
        return parsed
