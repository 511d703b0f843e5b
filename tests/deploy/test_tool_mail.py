"""make deploy MAIL_FROM=...: the SES identity is found and checked."""

from tests.support.deploy_tool import FIRST, OUTPUTS, SellerAccount
from tests.support.fake_aws_account import AwsError, Call
from tests.support.fake_cloudformation import Plan

SENDER = "Acme <start@mail.acme.example>"


def has_identities(seller: SellerAccount, production: bool = True, **verified: bool) -> None:
    """Let SES have these identities, with _ for each dot."""
    names = {name.replace("_", "."): is_verified for name, is_verified in verified.items()}

    def describe(call: Call) -> dict[str, object]:
        name = call.parameters["path"].rpartition("/")[2]
        if name not in names:
            raise AwsError("NotFoundException", "Email identity does not exist.")
        return {"VerifiedForSendingStatus": names[name], "DkimAttributes": {"Tokens": ["token1"]}}

    seller.aws.answers["sesv2.GetEmailIdentity"] = describe
    seller.aws.give("sesv2.GetAccount", ProductionAccessEnabled=production)


def test_identity_of_the_domain_above_is_found_and_allowed(seller: SellerAccount) -> None:
    has_identities(seller, acme_example=True)
    seller.cloudformation.plans.append(Plan([], outputs=dict(OUTPUTS)))

    answer = seller.deploy(YES="1", MAIL_FROM=SENDER)

    assert answer.status == 0, answer.output
    parameters = seller.cloudformation.executed[0].parameters
    assert parameters["MailIdentityArn"] == "arn:aws:ses:us-east-1:123456789012:identity/acme.example"
    assert parameters["MailFrom"] == SENDER
    assert "Warning" not in answer.output


def test_sender_without_identity_is_refused_with_the_command(seller: SellerAccount) -> None:
    has_identities(seller)

    answer = seller.deploy(YES="1", MAIL_FROM=SENDER)

    assert answer.status == 1
    assert "SES has no identity for start@mail.acme.example in us-east-1" in answer.words
    assert "aws sesv2 create-email-identity --region us-east-1 --email-identity mail.acme.example" in answer.words
    assert seller.cloudformation.executed == []


def test_unverified_identity_is_refused_with_its_records(seller: SellerAccount) -> None:
    has_identities(seller, acme_example=False)

    answer = seller.deploy(YES="1", MAIL_FROM=SENDER)

    assert answer.status == 1
    assert "  token1._domainkey.acme.example. CNAME token1.dkim.amazonses.com." in answer.output


def test_sandbox_of_ses_is_warned_of(seller: SellerAccount) -> None:
    has_identities(seller, production=False, acme_example=True)
    seller.cloudformation.plans.append(Plan([], outputs=dict(OUTPUTS)))

    answer = seller.deploy(YES="1", MAIL_FROM=SENDER)

    assert answer.status == 0
    assert "Warning: SES is in its sandbox in us-east-1" in answer.words


def test_identity_that_is_given_is_not_looked_up(seller: SellerAccount) -> None:
    seller.deploy(YES="1", MAIL_FROM=SENDER, PARAMETERS=f"{FIRST['PARAMETERS']} MailIdentityArn=arn:aws:ses:x")

    assert seller.cloudformation.executed[0].parameters["MailIdentityArn"] == "arn:aws:ses:x"
    assert seller.aws.called("sesv2.GetEmailIdentity") == []
