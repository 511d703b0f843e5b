"""Turns AWS's reasons for a failure, of a call or of a stack's resource, into plain words and what to do."""

import re

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import (
    ConnectionError as AwsConnectionError,
)

from deploy import denied
from deploy.errors import DeployError

AGAIN = "Then run the same command again."
NEW_CREDENTIALS = "Sign in again, with `aws sso login` or new access keys, and run the same command again."
QUOTAS = "Ask for more at https://console.aws.amazon.com/servicequotas, or delete what is not used. " + AGAIN
# By the pattern of AWS's message: what it means, and what to do.
REASONS: tuple[tuple[str, str, str], ...] = (
    (
        r"ExpiredToken|RequestExpired|token (?:included in the request )?is expired|token has expired",
        "The AWS credentials have expired.",
        NEW_CREDENTIALS,
    ),
    (
        r"InvalidClientTokenId|UnrecognizedClient|AuthFailure|SignatureDoesNotMatch|"
        r"security token included .* is invalid",
        "AWS does not know these credentials, or the Region is not enabled for the account.",
        "Check AWS_PROFILE or the access keys with `aws sts get-caller-identity`, and whether the Region is enabled "
        f"under Account in the console. {AGAIN}",
    ),
    (
        r"OptInRequired|SubscriptionRequired|needs a subscription for the service",
        "The account is not ready for this service yet. A new account takes up to a day.",
        "Finish the sign-up (payment method, phone) in the console's Billing, and run the same command again.",
    ),
    (
        r"Unable to assume the service linked role|service.linked role .*(?:does not exist|exists)",
        "The account has never used ECS, and AWS had not yet made ECS's own role.",
        "It exists now, or after: aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com. " + AGAIN,
    ),
    # Before the quotas, whose patterns match RequestLimitExceeded, too.
    (
        r"Throttling|Rate exceeded|TooManyRequests|RequestLimitExceeded",
        "AWS asked to be called more slowly.",
        "Run the same command again in a minute.",
    ),
    (
        r"VpcLimitExceeded|maximum number of VPCs",
        "The account has as many VPCs in this Region as it may have (5 by default).",
        'Use one of them, with PARAMETERS="Vpc=vpc-... PublicSubnets=subnet-...,subnet-...". Or: ' + QUOTAS,
    ),
    (
        r"InternetGatewayLimitExceeded|maximum number of internet gateways",
        "The account has as many internet gateways in this Region as it may have (5 by default).",
        'Use a VPC of yours, with PARAMETERS="Vpc=vpc-... PublicSubnets=subnet-...,subnet-...". Or: ' + QUOTAS,
    ),
    (
        r"AddressLimitExceeded|maximum number of (?:elastic )?(?:IP )?addresses",
        "The account has as many public addresses in this Region as it may have.",
        QUOTAS,
    ),
    (
        r"vCPU",
        "The account may not run this many vCPUs on Fargate in this Region. A new account starts with few.",
        QUOTAS.replace("servicequotas", "servicequotas (AWS Fargate, On-Demand vCPU resource count)"),
    ),
    (
        r"TooManyLoadBalancers|QuotaExceeded|LimitExceeded|"
        r"exceeded .*(?:limit|quota)|quota .* exceeded|maximum number of",
        "The account has as many of these in this Region as it may have.",
        QUOTAS,
    ),
    (
        r"resource record set .* but it already exists",
        "The zone already has a record for the domain.",
        "Delete that record in Route 53 if nothing else needs it, or choose another DOMAIN. " + AGAIN,
    ),
    (
        r"scheduled for deletion",
        "A secret of that name is being deleted, and keeps its name until then.",
        "Restore or delete it at once in Secrets Manager, or choose another STACK. " + AGAIN,
    ),
    (
        r"already exists|AlreadyExists|QueueNameExists",
        "Something of that name exists already and belongs to no stack or to another one.",
        'Delete it if nothing needs it, or choose another name: another STACK, or PARAMETERS="QueueName=..." for the '
        f"queue, its rule and alarms. {AGAIN}",
    ),
    (
        r"Circuit Breaker|did not stabilize|NotStabilized|Exceeded attempts to wait|service .* unable to",
        "The tasks did not start, or did not become healthy. Why they stopped is above, if ECS still knew it.",
        "Mend that, and run the same command again. All logs: the log group /foyer/STACK in CloudWatch.",
    ),
    (
        r"\bCAA(?:_ERROR)?\b",
        "The domain's CAA records do not allow Amazon to issue a certificate.",
        'Add a CAA record for the domain: 0 issue "amazon.com". ' + AGAIN,
    ),
    (
        r"Cannot find version|does not support the requested|DBInstanceClass.*not supported|"
        r"InvalidParameterCombination.*class",
        "RDS does not offer this instance class or version of PostgreSQL in this Region.",
        'Choose another class, such as PARAMETERS="DatabaseClass=db.t4g.small". ' + AGAIN,
    ),
    (
        r"InsufficientDBInstanceCapacity|Capacity is unavailable|InsufficientCapacity",
        "AWS has no capacity for this at the moment.",
        'Run the same command again in a few minutes, or choose PARAMETERS="DatabaseClass=db.t4g.small".',
    ),
    (
        r"DBSnapshotNotFound|snapshot .* not found",
        "There is no such snapshot in this Region.",
        "List them with: aws rds describe-db-snapshots. A snapshot of another Region has to be copied first. " + AGAIN,
    ),
    (
        r"DoesNotCoverEnoughAZs|at least two (?:subnets|Availability Zones)|two different Availability Zones",
        "The subnets are not in two different Availability Zones.",
        'Name two of different zones, with PARAMETERS="PublicSubnets=subnet-...,subnet-...". ' + AGAIN,
    ),
    (
        r"Cannot delete protected|deletion protection",
        "The database is protected against deletion.",
        "make undeploy STACK=... DATABASE=delete lifts the protection, and keeps a snapshot.",
    ),
)


def explain_reason(message: str, action: str = "", code: str = "") -> DeployError:
    """Return what AWS's message means; `action` is the call, where one failed, and `code` its error code."""
    text = f"{code} {message}"
    if denial := denied.read(text, action):
        return denied.explain(denial, message)
    for pattern, what, to_do in REASONS:
        if re.search(pattern, text, re.IGNORECASE):
            return DeployError(what, to_do, aws_words=message)
    return DeployError(message.rstrip(".") + ".")


def explain_call(error: ClientError | BotoCoreError) -> DeployError:
    """Return what a failed call to AWS means."""
    if not isinstance(error, ClientError):
        return _explain_library(error)
    answer: dict[str, str] = dict(error.response["Error"])  # type: ignore[arg-type]
    action = f"{answer['Service']}:{error.operation_name}" if "Service" in answer else ""
    explained = explain_reason(answer.get("Message", ""), action, answer.get("Code", ""))
    if explained.aws_words:
        return explained
    words = f"{answer.get('Code')}: {answer.get('Message')}"
    return DeployError(f"AWS refused {action or error.operation_name}.", aws_words=words)


def _explain_library(error: BotoCoreError) -> DeployError:
    """Return why AWS was not even asked, or did not answer."""
    words = str(error)
    match error:
        case NoCredentialsError() | PartialCredentialsError():
            return DeployError(
                "There are no AWS credentials.",
                "Set AWS_PROFILE to a profile of ~/.aws/config, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. "
                "`aws sts get-caller-identity` shows whether they work.",
            )
        case ProfileNotFound():
            return DeployError(f"{words}.", "AWS_PROFILE names a profile that ~/.aws/config does not have.")
        case SSOError() | TokenRetrievalError() | CredentialRetrievalError():
            return DeployError("The AWS credentials have expired, or cannot be read.", NEW_CREDENTIALS, aws_words=words)
        case AwsConnectionError() | HTTPClientError():
            return DeployError(
                "AWS cannot be reached.",
                "Check the network, HTTPS_PROXY and REGION, and run the same command again.",
                aws_words=words,
            )
        case _:
            return DeployError("The AWS libraries refused the call.", aws_words=words)
