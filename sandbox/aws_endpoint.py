"""The AWS endpoint: moto's server with ResolveCustomer and GetEntitlements added, and SES's mails in our inbox.

Everything else that moto pretends (STS, SQS, ...) answers on the same port.
"""

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from moto.meteringmarketplace import urls
from moto.meteringmarketplace.responses import MarketplaceMeteringResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.sesv2 import urls as mail_urls
from moto.sesv2.responses import SESV2Response

from sandbox.aws_errors import AwsError
from sandbox.get_entitlements import get_entitlements
from sandbox.marketplace import Marketplace
from sandbox.resolve_customer import resolve_customer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MARKETPLACE_KEY = "foyer.sandbox.world"

# moto's answer to a handler: the body and the headers, HTTP status among them.
MotoResponse = tuple[str, dict[str, Any]]


class AwsEndpoint:
    """The WSGI application that boto3 speaks to when AWS_ENDPOINT_URL names it."""

    def __init__(self, marketplace: Marketplace) -> None:
        self._marketplace = marketplace
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        # moto makes its responses without arguments: the request is the only way to hand them the world.
        environ[MARKETPLACE_KEY] = self._marketplace
        answer: Iterable[bytes] = self._moto(environ, start_response)
        return answer


class MarketplaceResponse(MarketplaceMeteringResponse):
    """AWS Marketplace's operations; moto calls the method that has the operation's name."""

    def resolve_customer(self) -> MotoResponse:
        """Answer ResolveCustomer."""
        return self._call(
            lambda world, asked: resolve_customer(world, asked.get("RegistrationToken", ""), self._caller_account_id)
        )

    def get_entitlements(self) -> MotoResponse:
        """Answer GetEntitlements, which signs as the same service and so comes here, too."""
        return self._call(lambda world, asked: get_entitlements(world, asked, self._caller_account_id))

    @property
    def _caller_account_id(self) -> str:
        return str(self.current_account)

    def _call(self, operation: Callable[[Marketplace, dict[str, Any]], dict[str, Any]]) -> MotoResponse:
        try:
            return _json_response(operation(self.normalized_request.environ[MARKETPLACE_KEY], json.loads(self.body)))
        except AwsError as refusal:
            return _json_response({"__type": refusal.code, "message": refusal.message}, refusal.status)


class MailResponse(SESV2Response):
    """SES, which sends from every address: nobody on this machine has verified one."""

    def send_email(self) -> str:
        """Answer SendEmail. moto's own keeps the HTML alone."""
        world: Marketplace = self.normalized_request.environ[MARKETPLACE_KEY]
        return json.dumps({"MessageId": world.inbox.store(json.loads(self.body)).id})


def _json_response(body: dict[str, Any], status: int = 200) -> MotoResponse:
    return json.dumps(body), {"status": status, "Content-Type": "application/x-amz-json-1.1"}


urls.url_paths["{0}/$"] = MarketplaceResponse.dispatch
mail_urls.url_paths["{0}/v2/email/outbound-emails$"] = MailResponse.dispatch
