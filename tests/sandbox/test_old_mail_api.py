"""Mail by SES's older API, and raw mail by both, in the inbox."""

from collections.abc import Callable
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from sandbox import mail_requests
from sandbox.server import Sandbox
from tests.sandbox.conftest import CreateClient
from tests.support.sandbox_api import call_api

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

SENDER, REPLY_TO = "seller@acme.example", "help@acme.example"
TEXT, HTML = "Grüße\n", "<p>Grüße</p>\n"


@pytest.fixture
def old_api(create_client: CreateClient) -> Any:
    """A client of the older API, for which the stubs of boto3 are not installed."""
    return create_client("ses")


@pytest.fixture
def new_api(create_client: CreateClient) -> "SESV2Client":
    client: SESV2Client = create_client("sesv2")
    return client


def raw_message(**headers: str) -> bytes:
    message = EmailMessage()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(TEXT)
    message.add_alternative(HTML, subtype="html")
    return message.as_bytes()


def send_raw(old_api: Any, new_api: "SESV2Client", api: str, data: bytes) -> str:
    if api == "older":
        return str(old_api.send_raw_email(RawMessage={"Data": data})["MessageId"])
    return new_api.send_email(Content={"Raw": {"Data": data}})["MessageId"]


def latest_mail(sandbox: Sandbox) -> dict[str, Any]:
    mail: dict[str, Any] = call_api(sandbox, "GET", "/inbox").json()[0]
    return mail


def test_older_api_sends_to_the_inbox(sandbox: Sandbox, old_api: Any) -> None:
    message_id = old_api.send_email(
        Source=SENDER,
        Destination={"ToAddresses": ["ada@gmail.com"], "BccAddresses": ["grace@gmail.com"]},
        Message={"Subject": {"Data": "Grüße"}, "Body": {"Text": {"Data": TEXT}, "Html": {"Data": HTML}}},
        ReplyToAddresses=[REPLY_TO],
        Tags=[{"Name": "campaign", "Value": "spring"}],
        ConfigurationSetName="seller",
    )["MessageId"]

    mail = latest_mail(sandbox)
    assert (mail["id"], mail["sender"]) == (message_id, SENDER)
    assert (mail["to"], mail["reply_to"]) == (["ada@gmail.com", "grace@gmail.com"], [REPLY_TO])
    assert (mail["subject"], mail["text"], mail["html"]) == ("Grüße", TEXT, HTML)
    assert (mail["tags"], mail["configuration_set"]) == ({"campaign": "spring"}, "seller")


def test_older_api_sends_text_alone(sandbox: Sandbox, old_api: Any) -> None:
    old_api.send_email(
        Source=SENDER,
        Destination={"ToAddresses": ["a@b.example"]},
        Message={"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}},
    )

    mail = latest_mail(sandbox)
    assert (mail["subject"], mail["text"], mail["html"]) == ("s", "t", "")


@pytest.mark.parametrize("api", ["older", "newer"])
def test_raw_message_is_sent_to_the_addresses_in_its_headers(
    sandbox: Sandbox, old_api: Any, new_api: "SESV2Client", api: str
) -> None:
    data = raw_message(From=f"Acme Ä <{SENDER}>", To="Ada <ada@gmail.com>", Reply_To=REPLY_TO, Subject="Grüße")

    message_id = send_raw(old_api, new_api, api, data)

    mail = latest_mail(sandbox)
    assert (mail["id"], mail["sender"]) == (message_id, f"Acme Ä <{SENDER}>")
    assert (mail["to"], mail["reply_to"], mail["subject"]) == (["ada@gmail.com"], [REPLY_TO], "Grüße")
    assert (mail["text"], mail["html"]) == (TEXT, HTML)


@pytest.mark.parametrize("api", ["older", "newer"])
def test_addresses_of_the_call_win_over_those_of_the_raw_message(
    sandbox: Sandbox, old_api: Any, new_api: "SESV2Client", api: str
) -> None:
    data = raw_message(From="nobody@acme.example", To="nobody@gmail.com", Subject="Hello")

    if api == "older":
        old_api.send_raw_email(Source=SENDER, Destinations=["ada@gmail.com"], RawMessage={"Data": data})
    else:
        destination: Any = {"CcAddresses": ["ada@gmail.com"]}
        new_api.send_email(FromEmailAddress=SENDER, Destination=destination, Content={"Raw": {"Data": data}})

    mail = latest_mail(sandbox)
    assert (mail["sender"], mail["to"]) == (SENDER, ["ada@gmail.com"])


@pytest.mark.parametrize("headers", [{"To": "ada@gmail.com"}, {"From": SENDER}], ids=["no-from", "no-to"])
@pytest.mark.parametrize(("api", "code"), [("older", "InvalidParameterValue"), ("newer", "BadRequestException")])
def test_raw_message_without_an_address_is_refused(
    sandbox: Sandbox, old_api: Any, new_api: "SESV2Client", api: str, code: str, headers: dict[str, str]
) -> None:
    data = raw_message(**headers)

    with pytest.raises(ClientError, match="Missing required header") as refused:
        send_raw(old_api, new_api, api, data)

    assert refused.value.response["Error"]["Code"] == code
    assert call_api(sandbox, "GET", "/inbox").json() == []


def test_mail_from_a_template_is_refused_in_words(old_api: Any, new_api: "SESV2Client") -> None:
    template: Any = {"TemplateName": "hello", "TemplateData": "{}"}
    to: Any = {"ToAddresses": ["ada@gmail.com"]}
    calls: list[Callable[[], Any]] = [
        lambda: old_api.send_templated_email(Source=SENDER, Destination=to, Template="hello", TemplateData="{}"),
        lambda: old_api.send_bulk_templated_email(
            Source=SENDER, Template="hello", DefaultTemplateData="{}", Destinations=[{"Destination": to}]
        ),
        lambda: new_api.send_email(FromEmailAddress=SENDER, Destination=to, Content={"Template": template}),
    ]
    for call in calls:
        with pytest.raises(ClientError, match=mail_requests.TEMPLATES_MESSAGE):
            call()
