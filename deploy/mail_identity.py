"""The SES identity that mail is sent from: found by the sender's address, and checked."""

from email.utils import parseaddr

from botocore.exceptions import ClientError

from deploy import console
from deploy.account import EVENTS_REGION, Account
from deploy.errors import DeployError

# Foyer's containers call AWS here wherever they run.
SES_REGION = EVENTS_REGION


def find(account: Account, sender: str) -> str:
    """Return the ARN of the verified identity of this sender, of its address or of a domain of it.

    Raises:
        DeployError: there is none, or it is not verified.
    """
    address = parseaddr(sender)[1]
    local, _, domain = address.rpartition("@")
    if not local or "." not in domain:
        raise DeployError(f"MAIL_FROM={sender} is no sender.", "Write it as Acme <start@acme.example>.")
    ses = account.client("sesv2", SES_REGION)
    unverified: list[str] = []
    for name in [address, *_parents(domain)]:
        try:
            identity = ses.get_email_identity(EmailIdentity=name)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NotFoundException":
                continue
            raise
        if identity.get("VerifiedForSendingStatus"):
            if not ses.get_account().get("ProductionAccessEnabled"):
                _warn_of_sandbox(sender)
            caller = account.identity
            return f"arn:{caller.partition}:ses:{SES_REGION}:{caller.account_id}:identity/{name}"
        tokens = identity.get("DkimAttributes", {}).get("Tokens", ())
        unverified += [name, *(f"  {token}._domainkey.{name}. CNAME {token}.dkim.amazonses.com." for token in tokens)]
    if unverified:
        name, *records = unverified
        todo = (
            "\n".join(["Add these records to its DNS:", *records])
            if records
            else "Open the link in the mail that SES sent to it."
        )
        raise DeployError(f"SES has not verified {name} yet, so no mail could be sent.", todo, *_without_mail())
    raise DeployError(
        f"SES has no identity for {address} in {SES_REGION}, so no mail could be sent.",
        f"Make one, and add the records that it shows to the DNS of {domain}:\n"
        f"  aws sesv2 create-email-identity --region {SES_REGION} --email-identity {domain}",
        *_without_mail(),
    )


def _parents(domain: str) -> list[str]:
    labels = domain.split(".")
    return [".".join(labels[start:]) for start in range(len(labels) - 1)]


def _warn_of_sandbox(sender: str) -> None:
    console.warn(
        f"SES is in its sandbox in {SES_REGION}: mail from {sender} reaches only addresses that you verified, and no "
        "buyer. Ask for production access, which takes about a day:",
        f"  https://console.aws.amazon.com/ses/home?region={SES_REGION}#/account",
    )


def _without_mail() -> list[str]:
    return ["Or leave out MAIL_FROM for now, and add it later with the same command."]
