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

from sandbox.get_entitlements import get_entitlements
from sandbox.refusals import Refusal
from sandbox.resolve import resolve_customer
from sandbox.world import World

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

WORLD = "foyer.sandbox.world"

# moto's answer to a handler: the body and the headers, HTTP status among them.
Answer = tuple[str, dict[str, Any]]


class AwsEndpoint:
    """The WSGI application that boto3 speaks to when AWS_ENDPOINT_URL names it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        # moto makes its responses without arguments: the request is the only way to hand them the world.
        environ[WORLD] = self._world
        answer: Iterable[bytes] = self._moto(environ, start_response)
        return answer


class MarketplaceResponse(MarketplaceMeteringResponse):
    """AWS Marketplace's operations; moto calls the method that has the operation's name."""

    def resolve_customer(self) -> Answer:
        """Answer ResolveCustomer."""
        return self._answer(
            lambda world, asked: resolve_customer(world, asked.get("RegistrationToken", ""), self._caller)
        )

    def get_entitlements(self) -> Answer:
        """Answer GetEntitlements, which signs as the same service and so comes here, too."""
        return self._answer(lambda world, asked: get_entitlements(world, asked, self._caller))

    @property
    def _caller(self) -> str:
        return str(self.current_account)

    def _answer(self, operation: Callable[[World, dict[str, Any]], dict[str, Any]]) -> Answer:
        try:
            return _json(operation(self.normalized_request.environ[WORLD], json.loads(self.body)))
        except Refusal as refusal:
            return _json({"__type": refusal.code, "message": refusal.message}, refusal.status)


class MailResponse(SESV2Response):
    """SES, which sends from every address: nobody on this machine has verified one."""

    def send_email(self) -> str:
        """Answer SendEmail. moto's own keeps the HTML alone."""
        world: World = self.normalized_request.environ[WORLD]
        return json.dumps({"MessageId": world.inbox.take(json.loads(self.body)).id})


def _json(body: dict[str, Any], status: int = 200) -> Answer:
    return json.dumps(body), {"status": status, "Content-Type": "application/x-amz-json-1.1"}


urls.url_paths["{0}/$"] = MarketplaceResponse.dispatch
mail_urls.url_paths["{0}/v2/email/outbound-emails$"] = MailResponse.dispatch
