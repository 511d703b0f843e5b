"""What the mails about usage say: what is wrong, whose usage it is, what it means, and what to do."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Row, Select, Uuid, bindparam, select

from app.models import Registration, Subscription, UsageHour, UsageItem
from app.models.usage import IS_HELD, UNSENT_STATES
from app.services.metering import quantity
from app.text import clean_single_line

HOURS: Any = UsageHour.__table__
ITEMS: Any = UsageItem.__table__
IDS = bindparam("ids", type_=Uuid, expanding=True)
# The worst first.
KINDS = ("conflict", "refused", "expired", "overdue", "held")


class Explanation(NamedTuple):
    """What a kind of problem is, what it means, and what to do."""

    title: str
    meaning: str
    advice: str


SEND_AGAIN = (
    "Then send each hour once more, with `foyer usage settle ID --send-again`, within the day in which AWS takes it; "
    "after that, send the usage again, with new ids."
)
NOT_REPEATED = "AWS takes no correction, so Foyer does not send these hours again."
EXPLANATIONS = {
    ("conflict", None): Explanation(
        "AWS has another quantity",
        "AWS has another quantity for these hours, which Foyer did not send. AWS bills that one: the first that it "
        "gets for an hour counts.",
        "Look for another system that meters this product: an earlier integration, a second installation of Foyer, a "
        "script. Stop it, or the next hours will be the same. CloudTrail names who calls BatchMeterUsage.",
    ),
    ("refused", "CustomerNotSubscribed"): Explanation(
        "The customer is not subscribed",
        "AWS says that these customers are not subscribed: the agreement was over, or their AWS account is suspended. "
        f"Nothing is billed. {NOT_REPEATED}",
        "See when the subscription ended, and stop the customer's usage in your product.",
    ),
    ("refused", "InvalidUsageDimensionException"): Explanation(
        "The listing has no such dimension",
        "The listing has no dimension of this name, or it is not metered. Nothing is billed.",
        "Compare the name with the listing in the AWS Marketplace Management Portal, and correct it in your product: "
        "send that usage again, with new ids. Or add it to the listing. "
        f"{SEND_AGAIN} With `dimensions` in products.toml, Foyer refuses others at once.",
    ),
    ("refused", "InvalidLicenseException"): Explanation(
        "The license is not valid for these hours",
        "AWS says that the license is not of this product, or was not in force in these hours. Nothing is billed.",
        f"Compare the license with the customer's agreement in the AWS Marketplace Management Portal. {SEND_AGAIN}",
    ),
    ("refused", None): Explanation(
        "AWS refused the usage",
        "AWS refused these hours for the reason that its code names. Nothing is billed.",
        f"See what was sent, and correct the cause. {SEND_AGAIN}",
    ),
    ("expired", None): Explanation(
        "AWS takes these hours no more",
        "Foyer could not send these hours in time: AWS takes usage for 24 hours, and that of a month until 06:00 UTC "
        "on the 1st of the next. Nothing is billed.",
        "See why the calls failed, and run `foyer doctor`. Hours that are not sent yet are tried on.",
    ),
    ("overdue", None): Explanation(
        "Usage waits to be sent",
        "These hours are not billed yet, and half of the time in which AWS takes them is over. Foyer goes on trying.",
        "Run `foyer doctor`, and see why the calls fail. Check that a worker runs.",
    ),
    ("held", None): Explanation(
        "Usage came too late",
        "This usage came after its hour was sent, and no later hour of the same month can bill it, or the product's "
        "`late_usage` is `hold`. Nothing is billed.",
        "Bill each item in the hour that runs now, with `foyer usage settle ITEM --next-hour`, or never, with "
        "`--write-off`. So that it does not happen again, send usage sooner, or raise `grace_minutes`.",
    ),
}
SETUP_EXPLANATIONS = {
    "PermissionDenied": Explanation(
        "Foyer's role lacks a permission",
        "Foyer's AWS role lacks the permission aws-marketplace:BatchMeterUsage.",
        'Allow that action on Resource "*". The policy of deploy/template.yaml has it: deploy the stack again.',
    ),
    "CredentialsRefused": Explanation(
        "AWS refuses the credentials",
        "Foyer's AWS credentials are missing, wrong or expired.",
        "Renew them, or give the machine an IAM role, and check its clock.",
    ),
    "ApiDisabled": Explanation(
        "BatchMeterUsage is disabled in this Region",
        "AWS does not offer BatchMeterUsage to this account in the Region of AWS_REGION.",
        "Set AWS_REGION to the Region in which you meter, such as us-east-1, and restart.",
    ),
    "RecordsRefused": Explanation(
        "AWS refuses all usage of the product",
        "AWS refuses every record: the product code is wrong, or these are not the credentials of the AWS account that "
        "published the product.",
        "Compare the product code and the account with the AWS Marketplace Management Portal.",
    ),
    "SetupInvalid": Explanation(
        "A setting is invalid",
        "The AWS SDK cannot make the call with these settings.",
        "Check AWS_REGION, each AWS_ENDPOINT_URL that is set, HTTPS_PROXY and AWS_CA_BUNDLE.",
    ),
}


class ProblemRow(NamedTuple):
    """One hour by its id, or one item by the product's own id of it. `quantity` is a decimal number."""

    id: UUID | str
    customer: str
    at: datetime
    dimension: str
    quantity: str


class ProblemGroup(NamedTuple):
    """What has one cause. `code` is AWS's, if there is one."""

    kind: str
    code: str | None
    explanation: Explanation
    rows: list[ProblemRow]


@dataclass(frozen=True)
class UsageProblems:
    """What the mail names, and how many problems of each kind it does not name."""

    groups: list[ProblemGroup]
    unnamed: Mapping[str, int]

    @property
    def title(self) -> str:
        """The worst that happened."""
        kinds = {group.kind for group in self.groups}
        if kinds - {"overdue", "held"}:
            return "Usage was not billed"
        return "Usage waits to be sent" if "overdue" in kinds else "Usage is held"

    @property
    def others(self) -> Iterator[tuple[int, str]]:
        """How many problems of a kind the mail does not name, and the command that lists these."""
        for kind, count in self.unnamed.items():
            states = UNSENT_STATES if kind == "overdue" else (kind,)
            options = "--held" if kind == "held" else " ".join(f"--state {state}" for state in states)
            yield count, f"foyer usage list {options}"


@dataclass(frozen=True)
class UsageFault:
    """Why nothing can be sent: what it is, and AWS's code."""

    explanation: Explanation
    code: str


def load(connection: Connection, payload: Mapping[str, Any]) -> UsageProblems | None:
    """Return the problems of a mail as they are now; None where none is left."""
    ids: dict[str, list[UUID]] = defaultdict(list)
    for kind, id_ in payload["problems"]:
        ids[kind].append(UUID(id_))
    groups: dict[tuple[str, str | None], list[ProblemRow]] = defaultdict(list)
    for kind, of_kind in ids.items():
        statement = SELECT_ITEMS if kind == "held" else SELECT_HOURS
        for row in connection.execute(statement, {"ids": of_kind}):
            if kind == "held":
                groups[kind, None].append(_problem_row(row, row.used_at, quantity.join(row.micros, row.picos)))
            elif row.state in (UNSENT_STATES if kind == "overdue" else {kind}):
                groups[kind, row.code].append(_problem_row(row, row.hour, quantity.join(row.quantity, 0)))
    if not groups:
        return None
    unnamed = {kind: count - len(ids[kind]) for kind, count in payload["counts"].items() if count > len(ids[kind])}
    ordered = sorted(groups, key=lambda key: (KINDS.index(key[0]), key[1] or ""))
    return UsageProblems([ProblemGroup(*key, _explain(*key), groups[key]) for key in ordered], unnamed)


def fault_of(payload: Mapping[str, Any]) -> UsageFault:
    """Return what a mail about the set-up says."""
    return UsageFault(SETUP_EXPLANATIONS[payload["fault"]], payload["code"])


def _explain(kind: str, code: str | None) -> Explanation:
    return EXPLANATIONS.get((kind, code)) or EXPLANATIONS[kind, None]


def _problem_row(row: Row[Any], at: datetime, picos: int) -> ProblemRow:
    account = row.customer_aws_account_id
    customer = f"AWS account {account}" if account else f"customer {row.customer_identifier}"
    company = clean_single_line(row.company or "")
    name = f"{company} ({customer})" if company else customer
    return ProblemRow(row.label, name, at, row.dimension, quantity.to_text(picos))


def _select(table: Any, *columns: Any) -> Select[Any]:
    customer = (Subscription.customer_aws_account_id, Subscription.customer_identifier, Registration.company)
    return (
        select(table.c.dimension, *columns, *customer)
        .select_from(table)
        .join(Subscription, Subscription.id == table.c.subscription_id)
        .outerjoin(Registration, Registration.subscription_id == table.c.subscription_id)
        .where(table.c.id.in_(IDS))
        .order_by(table.c.id)
    )


SELECT_HOURS = _select(HOURS, HOURS.c.id.label("label"), HOURS.c.hour, HOURS.c.quantity, HOURS.c.state, HOURS.c.code)
SELECT_ITEMS = _select(ITEMS, ITEMS.c.item_id.label("label"), ITEMS.c.used_at, ITEMS.c.micros, ITEMS.c.picos).where(
    IS_HELD
)
