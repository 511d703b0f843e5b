"""The example registration, purchase and problems that mails are made of."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from app.services.delivery import usage_problems
from app.services.delivery.mail_templates import MailContext
from app.services.delivery.usage_problems import ProblemGroup, ProblemRow, UsageProblems
from app.services.outbox.payload import Account, Registration, Subscription
from sandbox.gallery.values import ANSWERS, CUSTOMER

NOW = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)
LINK = "https://start.acme.example/progress/signed"
REGISTRATION = Registration(
    id=UUID("01930000-0000-7000-8000-000000000001"), **dict[str, Any](ANSWERS), created_at=NOW, updated_at=NOW
)
SUBSCRIPTION = Subscription(
    id=UUID("01930000-0000-7000-8000-000000000002"),
    former_ids=[],
    product_code=CUSTOMER.product_code,
    status="active",
    status_since=NOW,
    customer_aws_account_id="012345678901",
    customer_identifier=None,
    license_arn="arn:aws:license-manager::294406891311:license:l-0123456789abcdef",
    agreement_id="agmt-4mwg1nevbokzw95eca5797ixs",
    offer_type=None,
    free_trial=None,
    ends_at=NOW + timedelta(days=365),
    entitlements=None,
)
NO_ACCOUNT_REPLY = Account(wish="new", existing_account=None, subscription_id=None, url=None, reference=None)
ACCOUNT_REPLY = replace(NO_ACCOUNT_REPLY, url="https://app.acme.example/teams/7", reference="team-7")
FAILED_HANDOFF = {
    "id": UUID("01930000-0000-7000-8000-000000000003"),
    "type": "registration.completed",
    "since": NOW - timedelta(days=3),
    "tries": 40,
    "fault": "500",
}
PROBLEM_ROW = ProblemRow(
    UUID("01930000-0000-7000-8000-000000000004"), "Juniper & Lark (AWS account 012345678901)", NOW, "gb", "1.5"
)
USAGE_PROBLEMS = UsageProblems(
    [
        ProblemGroup(kind, code, explanation, [PROBLEM_ROW])
        for (kind, code), explanation in usage_problems.EXPLANATIONS.items()
    ],
    {"expired": 12, "overdue": 3, "held": 4},
)
CONTEXT = MailContext(
    product=None,
    site_url="https://start.acme.example",
    happened_at=NOW,
    registration=REGISTRATION,
    subscription=SUBSCRIPTION,
    account=NO_ACCOUNT_REPLY,
    to="bob@gmail.com",
    link=LINK,
    expires_at=NOW + timedelta(days=7),
    handoff=FAILED_HANDOFF,
    usage_problems=USAGE_PROBLEMS,
    usage_fault=usage_problems.fault_of({"fault": "PermissionDenied", "code": "AccessDeniedException"}),
)
