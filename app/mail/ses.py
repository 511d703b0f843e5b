"""SES: sends one mail.

Follows https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

from email.utils import formataddr
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, ParamValidationError

from app.aws import clients, errors
from app.aws.clients import CallTimeouts
from app.mail.message import Mail, MailRefused, MailUnavailable, Sender

if TYPE_CHECKING:
    from mypy_boto3_sesv2.type_defs import BodyTypeDef, MessageTypeDef, SendEmailRequestTypeDef

# One attempt: botocore's own second one could send the mail twice, and the outbox tries again anyhow.
SEND_TIMEOUTS = CallTimeouts(3, 7)
# The event destination of a configuration set gives them back with a bounce.
TAG_NAME = "foyer-outbox"
# Whatever else AWS answers is said of the account, its limits or its credentials, which somebody can mend.
REFUSAL_CODES = {"BadRequestException", "MailFromDomainNotVerifiedException", "MessageRejected"}


def send(mail: Mail, sender: Sender, tag: str, configuration_set: str | None) -> str:
    """Send the mail and return SES's id of it; the tag goes with it as `foyer-outbox`.

    Raises:
        MailRefused: SES will not send it to that address, or from that one.
        MailUnavailable: SES could not be asked, wants it slower, or does not let us.
    """
    # SES does not speak SMTPUTF8.
    if not mail.to.isascii():
        raise MailRefused("AddressNotAscii")
    try:
        answer = (
            clients.current().sesv2(SEND_TIMEOUTS).send_email(**_build_request(mail, sender, tag, configuration_set))
        )
        return answer["MessageId"]
    except ClientError as error:
        raise _translate_error(error) from error
    except ParamValidationError as error:
        raise MailRefused(type(error).__name__) from error
    except errors.NO_RESPONSE_ERRORS as error:
        raise MailUnavailable(type(error).__name__) from error


def _build_request(mail: Mail, sender: Sender, tag: str, configuration_set: str | None) -> "SendEmailRequestTypeDef":
    body: BodyTypeDef = {
        "Text": {"Data": mail.text, "Charset": "UTF-8"},
        "Html": {"Data": mail.html, "Charset": "UTF-8"},
    }
    message: MessageTypeDef = {
        "Subject": {"Data": mail.subject, "Charset": "UTF-8"},
        "Body": body,
        "Headers": [{"Name": "Auto-Submitted", "Value": "auto-generated"}],
    }
    request: SendEmailRequestTypeDef = {
        "FromEmailAddress": formataddr((sender.name, sender.address)),
        "Destination": {"ToAddresses": [mail.to]},
        "Content": {"Simple": message},
        "EmailTags": [{"Name": TAG_NAME, "Value": tag}],
    }
    if mail.reply_to:
        request["ReplyToAddresses"] = [mail.reply_to]
    if configuration_set:
        request["ConfigurationSetName"] = configuration_set
    return request


def _translate_error(error: ClientError) -> MailRefused | MailUnavailable:
    code = error.response.get("Error", {}).get("Code", "")
    return MailRefused(code) if code in REFUSAL_CODES else MailUnavailable(code)
