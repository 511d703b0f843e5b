"""Every call to AWS that the template's tasks make, against the policies of their roles: none missing, none unused."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest
from sqlalchemy import create_engine, text

from sandbox.purchases import Order
from sandbox.server import Sandbox
from tests.deploy.test_template import SES_IDENTITY_ARN
from tests.endurance.browser import Browser
from tests.endurance.buyer_load import CSRF_FIELD
from tests.endurance.submissions import unique_answers
from tests.production import images
from tests.production.run import PRESENT
from tests.production.stack import DOMAIN, Stack
from tests.support import cloudformation_stack, factories
from tests.support.cloudformation_stack import QUEUE_NAME, AwsClients
from tests.support.iam_policies import Allowance, allowances, denied, unused
from tests.support.postgresql_server import PostgresqlServer
from tests.support.recorded_aws import EXECUTION_ROLE, TASK_ROLE, AwsCall

CONFIGURATION_SET = "acme-mail"
PRODUCTS = """
[products.{code}]
name = "Acme Insights"
pricing = "contract-with-consumption"
sign_in_url = "https://app.acme.example/login"
support_email = "help@acme.example"
usage = {{dimensions = ["gb_processed"]}}
"""
PARAMETERS = {
    "ProductCode": "",
    "ProductName": "",
    "SignInUrl": "",
    "SupportEmail": "",
    "HandoffUrl": "",
    "ProductPricing": "",
    "ProductsFile": "products.toml",
    "QueueName": QUEUE_NAME,
    "SesConfigurationSet": CONFIGURATION_SET,
    "MailIdentityArn": SES_IDENTITY_ARN,
}
TIMEOUT_SECONDS = 60


@pytest.fixture
def events(sandbox: Sandbox) -> Iterator[cloudformation_stack.Stack]:
    """The queue, rules and configuration set of a seller who sends mail."""
    aws = AwsClients(sandbox.aws_url)
    aws.client("sesv2").create_configuration_set(ConfigurationSetName=CONFIGURATION_SET)
    with cloudformation_stack.deploy(
        sandbox.aws_url, MailIdentityArn=SES_IDENTITY_ARN, SesConfigurationSet=CONFIGURATION_SET
    ) as events:
        yield events
    aws.client("sesv2").delete_configuration_set(ConfigurationSetName=CONFIGURATION_SET)
    aws.close()


@pytest.fixture
def production(sandbox: Sandbox, events: cloudformation_stack.Stack) -> Iterator[Stack]:
    """The stack of a seller who sells contracts with consumption, and sends mail by SES."""
    with ExitStack() as stack:
        folder = stack.enter_context(images.open_folder())
        server = stack.enter_context(PostgresqlServer(folder / "postgresql"))
        production = Stack(stack, folder, sandbox, server, 20, parameters=PARAMETERS, queue=QUEUE_NAME)
        production.images[PRESENT] = images.build(folder / "present")
        (folder / "present" / "products.toml").write_text(PRODUCTS.format(code=factories.PRODUCT_CODE))
        assert production.deploy(PRESENT), production.web.describe()
        yield production


def register(production: Stack) -> None:
    """Buy, and sign up."""
    marketplace = production.sandbox.marketplace
    purchase = marketplace.buy(Order(product_code=factories.PRODUCT_CODE))
    with closing(Browser(production.load_balancer.https_port, host=DOMAIN)) as browser:
        assert browser.post("/", {factories.TOKEN_FIELD: marketplace.mint_token(purchase)}).status == 303
        field = CSRF_FIELD.search(browser.get("/signup").page)
        assert field
        answers = {name: value or "" for name, value in vars(unique_answers()).items()}
        assert browser.post("/signup", {**answers, "csrf_token": field[1]}).location == "/welcome"


def wait_for(production: Stack, *actions: str) -> None:
    """Wait until the tasks have called these actions."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while missing := set(actions) - {call.action for call in production.aws.calls_of(TASK_ROLE)}:
        assert time.monotonic() < deadline, f"not called: {missing}"
        time.sleep(0.05)


def lock_events(production: Stack, wait: Callable[[], None]) -> None:
    """Keep the worker from applying events, until it has given its message back to the queue."""
    engine = create_engine(factories.sqlalchemy_url(production.database_url))
    with engine.begin() as connection:
        connection.execute(text("LOCK TABLE events IN ACCESS EXCLUSIVE MODE"))
        wait()
    engine.dispose()


def make_every_call(production: Stack, events: cloudformation_stack.Stack) -> None:
    """Let the web task, the worker and the doctor do all that makes them call AWS."""

    def send_while_locked() -> None:
        for purchase in production.sandbox.marketplace.purchases:
            for event in production.sandbox.marketplace.events(purchase):
                events.aws.sqs.send_message(QueueUrl=events.queue_url, MessageBody=json.dumps(event.body))
        wait_for(production, "sqs:ChangeMessageVisibility")

    register(production)
    lock_events(production, send_while_locked)
    events.aws.sqs.send_message(QueueUrl=events.queue_url, MessageBody="no event")
    wait_for(production, "ses:SendEmail", "sqs:DeleteMessage", "sqs:SendMessage")
    doctor = production.run_task(["foyer", "doctor"], PRESENT)
    wait_for(production, "events:DescribeRule")
    assert "not allowed" not in doctor.log


def policy_of(production: Stack, resource: str) -> list[Allowance]:
    """Return what a managed policy allows, or the inline policies of a role."""
    properties = production.values(PRESENT).properties(resource)
    documents = [properties] if "PolicyDocument" in properties else properties["Policies"]
    return allowances(statement for made in documents for statement in made["PolicyDocument"]["Statement"])


def test_roles_allow_what_tasks_call_and_nothing_else(production: Stack, events: cloudformation_stack.Stack) -> None:
    make_every_call(production, events)

    task_calls, execution_calls = map(production.aws.calls_of, (TASK_ROLE, EXECUTION_ROLE))
    task_policy, execution_policy = policy_of(production, "FoyerPolicy"), policy_of(production, "ExecutionRole")
    assert denied(task_policy, task_calls) == set()
    assert denied(execution_policy, execution_calls) == set()
    assert unused(task_policy, task_calls) == []
    assert unused(execution_policy, execution_calls) == []


def test_call_that_no_statement_allows_is_found() -> None:
    allowed = allowances([{"Effect": "Allow", "Action": ["sqs:ReceiveMessage"], "Resource": "arn:aws:sqs:::a"}])
    calls = [AwsCall(TASK_ROLE, "sqs:ReceiveMessage", ("arn:aws:sqs:::b",)), AwsCall(TASK_ROLE, "sts:AssumeRole", ())]

    assert denied(allowed, calls) == {("sqs:ReceiveMessage", "arn:aws:sqs:::b"), ("sts:AssumeRole", "no resource")}
    assert unused(allowed, calls) == allowed
