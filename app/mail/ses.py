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
# All other codes are about the account, its sender, its limits or its credentials: the seller can change those.
REFUSAL_CODES = {"BadRequestException", "MessageRejected"}
# MessageRejected is also said of a sender that is not verified and, in SES's sandbox, of a recipient.
# https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html
NOT_VERIFIED = "not verified"


def send(mail: Mail, sender: Sender, tag: str, configuration_set: str | None) -> str:
    """Send the mail and return SES's id of it. The tag is sent as the email tag `OUTBOX_ID_TAG`.

    Raises:
        MailRefused: SES refused the mail or its recipient for good.
        MailUnavailable: SES could not be reached, throttled us, or refused the credentials or the sender.
    """
    # SES does not support SMTPUTF8.
    if not mail.to.isascii():
        raise MailRefused("AddressNotAscii")
    try:
        request = _build_request(mail, sender, tag, configuration_set)
        return clients.current().sesv2(SEND_TIMEOUTS).send_email(**request)["MessageId"]
    except ClientError as error:
        details = error.response.get("Error", {})
        code = details.get("Code", "")
        is_refused = code in REFUSAL_CODES and NOT_VERIFIED not in details.get("Message", "")
        raise (MailRefused(code) if is_refused else MailUnavailable(code)) from error
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
