"""Sends one mail through SES.

Follows https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

from email.utils import formataddr
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, ParamValidationError

from app.aws import clients, errors
from app.aws.clients import CallTimeouts
from app.mail.message import Mail, MailRefused, MailUnavailable, Sender

if TYPE_CHECKING:
    from mypy_boto3_sesv2.type_defs import MessageTypeDef, SendEmailRequestTypeDef

# SES returns it with each event about the mail.
OUTBOX_ID_TAG = "foyer-outbox"
# One attempt: a retry by botocore could send the mail twice, and the outbox retries anyway.
SEND_TIMEOUTS = CallTimeouts(3, 7)
# All other codes are about the account, its limits or its credentials: the seller can change those.
REFUSAL_CODES = {"BadRequestException", "MailFromDomainNotVerifiedException", "MessageRejected"}


def send(mail: Mail, sender: Sender, tag: str, configuration_set: str | None) -> str:
    """Send the mail and return SES's id of it. The tag is sent as the email tag `OUTBOX_ID_TAG`.

    Raises:
        MailRefused: SES refused the mail, its recipient or its sender for good.
        MailUnavailable: SES could not be reached, throttled us, or refused the credentials.
    """
    # SES does not support SMTPUTF8.
    if not mail.to.isascii():
        raise MailRefused("AddressNotAscii")
    try:
        request = _build_request(mail, sender, tag, configuration_set)
        return clients.current().sesv2(SEND_TIMEOUTS).send_email(**request)["MessageId"]
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise (MailRefused(code) if code in REFUSAL_CODES else MailUnavailable(code)) from error
    except ParamValidationError as error:
        raise MailRefused(type(error).__name__) from error
    except errors.NO_RESPONSE_ERRORS as error:
        raise MailUnavailable(errors.from_missing_response(error).code) from error


def _build_request(mail: Mail, sender: Sender, tag: str, configuration_set: str | None) -> "SendEmailRequestTypeDef":
    message: MessageTypeDef = {
        "Subject": {"Data": mail.subject, "Charset": "UTF-8"},
        "Body": {"Text": {"Data": mail.text, "Charset": "UTF-8"}, "Html": {"Data": mail.html, "Charset": "UTF-8"}},
        "Headers": [{"Name": "Auto-Submitted", "Value": "auto-generated"}],
    }
    request: SendEmailRequestTypeDef = {
        "FromEmailAddress": formataddr((sender.name, sender.address)),
        "Destination": {"ToAddresses": [mail.to]},
        "Content": {"Simple": message},
        # SES repeats the tag in the bounce that it sends to the configuration set's event destination.
        "EmailTags": [{"Name": OUTBOX_ID_TAG, "Value": tag}],
    }
    if mail.reply_to:
        request["ReplyToAddresses"] = [mail.reply_to]
    if configuration_set:
        request["ConfigurationSetName"] = configuration_set
    return request
