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

EXIT_INVALID_INPUT = 252
EXIT_NO_CREDENTIALS = 253
EXIT_AWS_ERROR = 254
EXIT_OTHER_ERROR = 255

# A registration token is about 184 characters. Blotting out a short made-up one would eat words of AWS's message.
MIN_REDACTED_LENGTH = 16


class CommandError(Exception):
    """The command failed; its text is what the AWS CLI says, `status` what the AWS CLI exits with."""

    def __init__(self, exit_status: int, text: str) -> None:
        super().__init__(text)
        self.exit_status = exit_status


def invalid_input_error(reason: str) -> CommandError:
    """Return the error for input that is refused before anything is sent."""
    return CommandError(EXIT_INVALID_INPUT, f"An error occurred (ParamValidation): {reason}")


def input_skeleton() -> dict[str, Any]:
    """Return ResolveCustomer's input with every value left blank."""
    skeleton: dict[str, Any] = ArgumentGenerator().generate_skeleton(_operation_model().input_shape)
    return skeleton


def output_skeleton(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return an answer of ResolveCustomer whose values are the members' names; nothing is sent.

    Raises:
        CommandError: ResolveCustomer does not take these parameters.
    """
    _validate_parameters(parameters)
    answer: dict[str, Any] = ArgumentGenerator(use_member_names=True).generate_skeleton(_operation_model().output_shape)
    return answer


def resolve_customer(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return what AWS answers, in the order of its model.

    Raises:
        CommandError: the parameters are wrong, or AWS refused them or could not be asked.
    """
    _validate_parameters(parameters)
    try:
        answer = clients.current().metering(clients.OPERATOR_TIMEOUTS).resolve_customer(**parameters)
    except NoCredentialsError as error:
        advice = 'You can configure credentials by running "aws login".'
        raise CommandError(EXIT_NO_CREDENTIALS, f"An error occurred (NoCredentials): {error}. {advice}") from error
    except ClientError as error:
        raise CommandError(EXIT_AWS_ERROR, _redact_token(str(error), parameters)) from error
    except errors.NO_RESPONSE_ERRORS as error:
        raise CommandError(EXIT_OTHER_ERROR, str(error)) from error
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def _operation_model() -> Any:  # Any, because botocore's types allow for an operation without input or output
    # Loaded without a session, which would first want the machine's profile to be in order.
    model = create_loader().load_service_model("meteringmarketplace", "service-2")
    return ServiceModel(model).operation_model("ResolveCustomer")


def _validate_parameters(parameters: dict[str, Any]) -> None:
    try:
        validate_parameters(parameters, _operation_model().input_shape)
    except ParamValidationError as error:
        report = str(error)
        for value in parameters.values():
            report = report.replace(f"value: {value}, ", "")  # botocore quotes what it refuses: it may be the token
        raise invalid_input_error(report) from None


def _redact_token(text: str, parameters: dict[str, Any]) -> str:
    token = parameters["RegistrationToken"]
    return text.replace(token, "***") if len(token) >= MIN_REDACTED_LENGTH else text
