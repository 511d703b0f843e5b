"""Fixtures with two customers, one of whom is looked for."""

from uuid import UUID

import pytest
from flask import Flask

from tests.support import factories
from tests.support.outbox_messages import (
    register_customer,
)

OTHER = {
    "customer_aws_account_id": "998877665544",
    "license_arn": "arn:aws:license-manager::294406891311:license:l-other",
    "agreement_id": "agmt-other",
}
OTHER_ANSWERS = {
    "company": "Quillfeather Press",
    "full_name": "Marie Curie",
    "email": "marie@example.com",
    "phone": None,
    "notes": None,
}


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return factories.enable_handoffs_and_mail(environment)


@pytest.fixture
def subscription_id(app: Flask) -> UUID:
    """The subscription of Ada at Juniper & Lark, beside another customer's."""
    register_customer(app, OTHER, **OTHER_ANSWERS)
    return register_customer(app)
