"""The doctor's questions to AWS."""

import pytest

from app.aws import setup_checks
from tests.aws.fake import Fake
from tests.databases import on_sqlite
from tests.views.floods import INVALID, facing


@on_sqlite
def test_the_doctor_is_never_answered_from_memory(environment: pytest.MonkeyPatch) -> None:
    with Fake([INVALID]) as aws, facing(environment, aws) as app, app.app_context():
        for _ in range(2):
            setup_checks.try_resolving()

        assert aws.asked == 2
