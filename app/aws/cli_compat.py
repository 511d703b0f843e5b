"""ResolveCustomer as the AWS CLI does it: its skeletons, its checks, its errors and its exit codes.

Follows https://docs.aws.amazon.com/cli/latest/reference/meteringmarketplace/resolve-customer.html and
https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-returncodes.html
"""

from typing import Any

from botocore.exceptions import ClientError, NoCredentialsError, ParamValidationError
from botocore.loaders import create_loader
from botocore.model import ServiceModel
from botocore.utils import ArgumentGenerator
from botocore.validate import validate_parameters

from app.aws import clients, errors

INVALID_INPUT = 252
NO_CREDENTIALS = 253
REFUSED_BY_AWS = 254
ANYTHING_ELSE = 255

# A registration token is about 184 characters. Blotting out a short made-up one would eat words of AWS's message.
SHORTEST_SECRET = 16


class CommandError(Exception):
    """The command failed; its text is what the AWS CLI says, `status` what the AWS CLI exits with."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def invalid_input(reason: str) -> CommandError:
    """Return the error for input that is refused before anything is sent."""
    return CommandError(INVALID_INPUT, f"An error occurred (ParamValidation): {reason}")


def input_skeleton() -> dict[str, Any]:
    """Return ResolveCustomer's input with every value left blank."""
    skeleton: dict[str, Any] = ArgumentGenerator().generate_skeleton(_operation().input_shape)
    return skeleton


def sample_answer(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return an answer of ResolveCustomer whose values are the members' names; nothing is sent.

    Raises:
        CommandError: ResolveCustomer does not take these parameters.
    """
    _check(parameters)
    answer: dict[str, Any] = ArgumentGenerator(use_member_names=True).generate_skeleton(_operation().output_shape)
    return answer


def resolve_customer(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return what AWS answers, in the order of its model.

    Raises:
        CommandError: the parameters are wrong, or AWS refused them or could not be asked.
    """
    _check(parameters)
    try:
        answer = clients.current().metering(clients.OPERATOR).resolve_customer(**parameters)
    except NoCredentialsError as error:
        advice = 'You can configure credentials by running "aws login".'
        raise CommandError(NO_CREDENTIALS, f"An error occurred (NoCredentials): {error}. {advice}") from error
    except ClientError as error:
        raise CommandError(REFUSED_BY_AWS, _without_token(str(error), parameters)) from error
    except errors.WITHOUT_ANSWER as error:
        raise CommandError(ANYTHING_ELSE, str(error)) from error
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def _operation() -> Any:  # Any, because botocore's types allow for an operation without input or output
    # Loaded without a session, which would first want the machine's profile to be in order.
    model = create_loader().load_service_model("meteringmarketplace", "service-2")
    return ServiceModel(model).operation_model("ResolveCustomer")


def _check(parameters: dict[str, Any]) -> None:
    try:
        validate_parameters(parameters, _operation().input_shape)
    except ParamValidationError as error:
        report = str(error)
        for value in parameters.values():
            report = report.replace(f"value: {value}, ", "")  # botocore quotes what it refuses: it may be the token
        raise invalid_input(report) from None


def _without_token(text: str, parameters: dict[str, Any]) -> str:
    token = parameters["RegistrationToken"]
    return text.replace(token, "***") if len(token) >= SHORTEST_SECRET else text
