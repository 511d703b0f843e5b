"""The AWS endpoint: moto's server plus ResolveCustomer, GetEntitlements, BatchMeterUsage, and the catalog's listings.

Mail sent by SES goes to the inbox. MeterUsage and RegisterUsage are refused: they are not for SaaS.

Every other service that moto simulates (STS, SQS, ...) answers on the same port.
"""

import json
import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NoReturn

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult, BaseResponse
from moto.meteringmarketplace import urls
from moto.meteringmarketplace.responses import MarketplaceMeteringResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.ses import urls as old_mail_urls
from moto.ses.exceptions import InvalidParameterValue
from moto.ses.responses import EmailResponse
from moto.sesv2 import urls as mail_urls
from moto.sesv2.responses import SESV2Response
from werkzeug.wrappers import Response

from sandbox import batch_meter_usage, listings, mail_requests
from sandbox.aws_errors import AwsError, UnsupportedMetering
from sandbox.get_entitlements import get_entitlements
from sandbox.inbox import SentMail
from sandbox.mail_requests import InvalidMail
from sandbox.marketplace import Marketplace
from sandbox.remote_clock import CLOCK_PATH
from sandbox.resolve_customer import resolve_customer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MARKETPLACE_KEY = "foyer.sandbox.marketplace"
LOST_ANSWER_KEY = "foyer.sandbox.lost_answer"

# What moto expects from an operation: the body, and the headers with the HTTP status among them.
MotoResponse = tuple[str, dict[str, Any]]


class AwsEndpoint:
    """The WSGI application that boto3 calls when AWS_ENDPOINT_URL names it."""

    def __init__(self, marketplace: Marketplace) -> None:
        self._marketplace = marketplace
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Pass the request and the marketplace to moto; the sandbox's clock is on this port as well."""
        if environ["PATH_INFO"] == CLOCK_PATH:
            return Response(json.dumps(self._marketplace.clock.to_json()), mimetype="application/json")(
                environ, start_response
            )
        # moto creates its response objects without arguments, so only the request can carry the marketplace.
        environ[MARKETPLACE_KEY] = self._marketplace
        response: Iterable[bytes] = self._moto(environ, start_response)
        if environ.get(LOST_ANSWER_KEY):
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError
        return response


class MarketplaceResponse(MarketplaceMeteringResponse):
    """AWS Marketplace's operations; moto calls the method named like the operation."""

    def resolve_customer(self) -> MotoResponse:
        """Answer ResolveCustomer."""
        return _answer(
            self,
            lambda marketplace, account_id: resolve_customer(
                marketplace, json.loads(self.body).get("RegistrationToken", ""), account_id
            ),
        )

    def get_entitlements(self) -> MotoResponse:
        """Answer GetEntitlements, which moto routes here because it signs as the same service as ResolveCustomer."""
        return _answer(
            self, lambda marketplace, account_id: get_entitlements(marketplace, json.loads(self.body), account_id)
        )

    def batch_meter_usage(self) -> MotoResponse:  # type: ignore[override]  # moto takes both
        """Answer BatchMeterUsage. moto's own version does not know what the storefront sold."""
        request = self.normalized_request
        authorization = request.headers.get("Authorization", "")
        call = batch_meter_usage.answer(
            request.environ[MARKETPLACE_KEY], request.get_data(), authorization, str(self.current_account)
        )
        request.environ[LOST_ANSWER_KEY] = call.is_answer_lost
        return _json_response(call.answer, call.status)

    def meter_usage(self) -> str:
        """Refuse MeterUsage, which moto does not have."""
        _refuse_metering()

    def register_usage(self) -> str:
        """Refuse RegisterUsage, which moto does not have."""
        _refuse_metering()


class CatalogResponse(BaseResponse):
    """The AWS Marketplace Catalog, which moto does not have: what it says of the seller's listings."""

    def __init__(self) -> None:
        super().__init__(service_name="marketplace-catalog")

    def list_entities(self) -> MotoResponse:
        """Answer ListEntities."""
        return _answer(
            self, lambda marketplace, account_id: listings.list_entities(marketplace, json.loads(self.body), account_id)
        )

    def describe_entity(self) -> MotoResponse:
        """Answer DescribeEntity."""
        return _answer(
            self,
            lambda marketplace, account_id: listings.describe_entity(
                marketplace, self.normalized_request.args, account_id
            ),
        )


class MailResponse(SESV2Response):
    """SES's newer API, which accepts every sender address: none is verified on this machine."""

    def send_email(self) -> str:
        """Answer SendEmail. moto's own version stores only the HTML, so it is replaced."""
        marketplace: Marketplace = self.normalized_request.environ[MARKETPLACE_KEY]
        try:
            mail = mail_requests.read_new_request(json.loads(self.body))
        except InvalidMail as error:
            raise JsonRESTError("BadRequestException", str(error)) from None
        return json.dumps({"MessageId": marketplace.inbox.store(mail).id})


class OldMailResponse(EmailResponse):
    """SES's older API, which accepts every sender address as well."""

    def send_email(self) -> ActionResult:
        """Answer SendEmail."""
        return self._store(mail_requests.read_old_request)

    def send_raw_email(self) -> ActionResult:
        """Answer SendRawEmail."""
        return self._store(mail_requests.read_old_raw_request)

    def send_templated_email(self) -> ActionResult:
        """Refuse SendTemplatedEmail."""
        raise InvalidParameterValue(mail_requests.TEMPLATES_MESSAGE)

    def send_bulk_templated_email(self) -> ActionResult:
        """Refuse SendBulkTemplatedEmail."""
        raise InvalidParameterValue(mail_requests.TEMPLATES_MESSAGE)

    def _store(self, read: Callable[[dict[str, Any]], SentMail]) -> ActionResult:
        marketplace: Marketplace = self.normalized_request.environ[MARKETPLACE_KEY]
        try:
            return ActionResult({"MessageId": marketplace.inbox.store(read(self.params)).id})
        except InvalidMail as error:
            raise InvalidParameterValue(str(error)) from None


def _answer(response: BaseResponse, operation: Callable[[Marketplace, str], dict[str, Any]]) -> MotoResponse:
    """Return what the operation answers to the caller's account."""
    marketplace: Marketplace = response.normalized_request.environ[MARKETPLACE_KEY]
    try:
        return _json_response(operation(marketplace, str(response.current_account)))
    except AwsError as error:
        return _json_response({"__type": error.code, "message": error.message}, error.status)


def _refuse_metering() -> NoReturn:
    raise JsonRESTError(UnsupportedMetering.code, UnsupportedMetering.message)


def _json_response(body: dict[str, Any], status: int = 200) -> MotoResponse:
    return json.dumps(body), {"status": status, "Content-Type": "application/x-amz-json-1.1"}


urls.url_paths["{0}/$"] = MarketplaceResponse.dispatch
# Signed as the same service.
for catalog_operation in ("ListEntities", "DescribeEntity"):
    urls.url_paths[f"{{0}}/{catalog_operation}$"] = CatalogResponse.dispatch
old_mail_urls.url_paths["{0}/$"] = OldMailResponse.dispatch
mail_urls.url_paths["{0}/v2/email/outbound-emails$"] = MailResponse.dispatch
