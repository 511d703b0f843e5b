"""make deploy: the domain's hosted zone, or without one its certificate."""

import pytest

from tests.support.deploy_tool import FIRST, OUTPUTS, SellerAccount
from tests.support.dns_server import serve_nameservers
from tests.support.fake_aws_account import AwsError, Call
from tests.support.fake_cloudformation import Plan

WITHOUT_CERTIFICATE = FIRST["PARAMETERS"].partition(" ")[2]
RECORD = {"Name": "_1.start.acme.example.", "Type": "CNAME", "Value": "_2.acm-validations.aws."}
ARN = "arn:aws:acm:us-east-1:123456789012:certificate/new"


ZONE, OTHER_ZONE = "Z1", "Z2"
SERVER = "ns-1.awsdns-1.example"


@pytest.fixture
def zones(seller: SellerAccount) -> None:
    """The hosted zones of acme.example, one of them private, and of another domain."""
    made = {
        name: {"Id": f"/hostedzone/{name}", "Name": domain, "CallerReference": name, "Config": {"PrivateZone": private}}
        for name, domain, private in (
            (ZONE, "acme.example.", False),
            (OTHER_ZONE, "other.example.", False),
            ("Z3", "acme.example.", True),
        )
    }

    def describe(call: Call) -> dict[str, object]:
        name = call.parameters["path"].rpartition("/")[2]
        if name not in made:
            raise AwsError("NoSuchHostedZone", f"No hosted zone found with ID: {name}")
        return {"HostedZone": made[name], "DelegationSet": {"NameServers": [SERVER]}}

    seller.aws.answers["route53.GetHostedZone"] = describe
    seller.aws.give("route53.ListHostedZones", HostedZones=list(made.values()), IsTruncated=False, MaxItems="100")


def deploy_in(seller: SellerAccount, zone_id: str, *servers: str, **variables: str) -> str:
    """Deploy with a zone while these servers answer for acme.example; return what is printed."""
    with serve_nameservers({"acme.example": list(servers)}) as address:
        variables = {"PARAMETERS": WITHOUT_CERTIFICATE, "DEPLOY_DNS_SERVER": address, **variables}
        return seller.deploy(YES="1", ZONE=zone_id, **variables).words


@pytest.mark.usefixtures("zones")
def test_zone_that_the_internet_asks_is_used(seller: SellerAccount) -> None:
    deploy_in(seller, ZONE, "ns-2.awsdns-2.example", SERVER)

    assert seller.cloudformation.executed[0].parameters["ZoneId"] == ZONE
    assert seller.aws.called("acm.RequestCertificate") == []


@pytest.mark.usefixtures("zones")
@pytest.mark.parametrize("servers", [["ns1.registrar.example"], []])
def test_zone_that_the_internet_does_not_ask_is_refused(seller: SellerAccount, servers: list[str]) -> None:
    words = deploy_in(seller, ZONE, *servers)

    assert f"The internet does not ask the zone {ZONE}" in words
    assert f"acme.example. NS {SERVER}." in words
    assert "leave out ZONE" in words
    assert seller.cloudformation.executed == []


@pytest.mark.usefixtures("zones")
def test_zone_that_cannot_be_looked_up_is_only_warned_of(seller: SellerAccount) -> None:
    with serve_nameservers(None) as address:
        words = deploy_in(seller, ZONE, DEPLOY_DNS_SERVER=address)

    assert "Warning: It could not be looked up who answers for acme.example" in words
    assert len(seller.cloudformation.executed) == 1


@pytest.mark.usefixtures("zones")
@pytest.mark.parametrize(
    ("zone_id", "words"),
    [
        (OTHER_ZONE, "start.acme.example is not in the zone Z2, which is of other.example"),
        ("Z3", "The zone Z3 (acme.example) is private"),
        ("Z4", "This account has no hosted zone Z4"),
    ],
)
def test_wrong_zone_is_refused_and_the_right_one_named(seller: SellerAccount, zone_id: str, words: str) -> None:
    printed = deploy_in(seller, zone_id)

    assert words in printed
    assert f"The zone of acme.example is ZONE={ZONE}." in printed
    assert "leave out ZONE" in printed


def certificate(status: str, **fields: object) -> dict[str, object]:
    """Return a certificate as ACM describes it."""
    options = [{"DomainName": "start.acme.example", "ResourceRecord": RECORD}]
    return {
        "CertificateArn": ARN,
        "DomainName": "start.acme.example",
        "Status": status,
        "CreatedAt": "2026-11-29T12:00:00Z",
        "DomainValidationOptions": options,
        **fields,
    }


def has_certificates(seller: SellerAccount, *statuses: str, **fields: object) -> None:
    """Let ACM request a certificate, and describe it in these states, one after the other."""
    left = list(statuses)

    def describe(_: Call) -> dict[str, object]:
        return {"Certificate": certificate(left.pop(0) if len(left) > 1 else left[0], **fields)}

    seller.aws.give("acm.ListCertificates", CertificateSummaryList=[])
    seller.aws.give("acm.RequestCertificate", CertificateArn=ARN)
    seller.aws.answers["acm.DescribeCertificate"] = describe


def test_domain_without_zone_gets_its_record_and_ends_with_status_3(seller: SellerAccount) -> None:
    has_certificates(seller, "PENDING_VALIDATION")

    answer = seller.deploy(YES="1", PARAMETERS=WITHOUT_CERTIFICATE)

    assert answer.status == 3
    assert "  _1.start.acme.example. CNAME _2.acm-validations.aws." in answer.output
    assert "run the same command again in a few minutes" in answer.words
    assert seller.cloudformation.executed == []


def test_second_run_uses_the_certificate_of_the_first(seller: SellerAccount) -> None:
    has_certificates(seller, "ISSUED")
    summary = {"CertificateArn": ARN, "DomainName": "start.acme.example", "Status": "ISSUED"}
    seller.aws.give("acm.ListCertificates", CertificateSummaryList=[summary])
    seller.cloudformation.plans.append(Plan([], outputs=dict(OUTPUTS)))

    answer = seller.deploy(YES="1", PARAMETERS=WITHOUT_CERTIFICATE)

    assert answer.status == 0, answer.output
    assert seller.cloudformation.executed[0].parameters["CertificateArn"] == ARN
    assert seller.aws.called("acm.RequestCertificate") == []


def test_pending_certificate_is_not_requested_again(seller: SellerAccount) -> None:
    has_certificates(seller, "PENDING_VALIDATION")
    summary = {"CertificateArn": ARN, "DomainName": "start.acme.example", "Status": "PENDING_VALIDATION"}
    seller.aws.give("acm.ListCertificates", CertificateSummaryList=[summary])

    assert seller.deploy(PARAMETERS=WITHOUT_CERTIFICATE).status == 3
    assert seller.aws.called("acm.RequestCertificate") == []


def test_certificate_is_waited_for_if_asked(seller: SellerAccount) -> None:
    has_certificates(seller, "PENDING_VALIDATION", "PENDING_VALIDATION", "ISSUED")
    seller.cloudformation.plans.append(Plan([], outputs=dict(OUTPUTS)))

    answer = seller.deploy(YES="1", WAIT="1", PARAMETERS=WITHOUT_CERTIFICATE)

    assert answer.status == 0, answer.output
    assert "Waiting for it, 30 minutes at most" in answer.words
    assert "The certificate is issued" in answer.words


def test_certificate_is_not_waited_for_without_end(seller: SellerAccount) -> None:
    has_certificates(seller, "PENDING_VALIDATION")

    answer = seller.deploy(WAIT="1", CERTIFICATE_MINUTES="0", PARAMETERS=WITHOUT_CERTIFICATE)

    assert answer.status == 3
    assert "was not issued in 0 minutes: AWS does not see its record" in answer.words
    assert "without the domain's name twice" in answer.words


def test_certificate_that_aws_refuses_is_explained(seller: SellerAccount) -> None:
    has_certificates(seller, "FAILED", FailureReason="CAA_ERROR")

    answer = seller.deploy(PARAMETERS=WITHOUT_CERTIFICATE)

    assert answer.status == 1
    assert '0 issue "amazon.com"' in answer.output
    assert "(AWS says: FAILED CAA_ERROR)" in answer.words


def test_new_domain_gets_a_certificate_of_its_own(seller: SellerAccount) -> None:
    parameters = {"DomainName": "old.acme.example", "ProductCode": "prodcode1", "CertificateArn": "arn:old"}
    seller.cloudformation.add("foyer", "CREATE_COMPLETE", parameters=parameters)
    has_certificates(seller, "PENDING_VALIDATION")

    assert seller.run("deploy", DOMAIN="start.acme.example").status == 3
