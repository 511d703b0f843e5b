"""Set-up checks that call AWS."""

import pytest

from app.aws import setup_checks
from tests.support.databases import on_sqlite
from tests.support.scripted_aws import ScriptedAws
from tests.support.token_floods import INVALID_TOKEN, app_with_aws


@on_sqlite
def test_resolve_customer_check_calls_aws_every_time(environment: pytest.MonkeyPatch) -> None:
    with ScriptedAws([INVALID_TOKEN]) as aws, app_with_aws(environment, aws) as app, app.app_context():
        for _ in range(2):
            setup_checks.check_resolve_customer()

        assert aws.request_count == 2
