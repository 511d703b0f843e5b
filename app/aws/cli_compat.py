"""Calls ResolveCustomer as the AWS CLI does: the same skeletons, checks, error texts and exit codes.

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

# A real token has about 184 characters. Replacing a short made-up one could remove words of AWS's message.
MIN_REDACTED_LENGTH = 16


class CommandError(Exception):
    """The command failed. The text and `exit_status` are those of the AWS CLI."""

    def __init__(self, exit_status: int, text: str) -> None:
        super().__init__(text)
        self.exit_status = exit_status


def invalid_input_error(reason: str) -> CommandError:
    """Return the error for input that is refused before AWS is called."""
    return CommandError(EXIT_INVALID_INPUT, f"An error occurred (ParamValidation): {reason}")


def input_skeleton() -> dict[str, Any]:
    """Return ResolveCustomer's input with empty values."""
    return dict(ArgumentGenerator().generate_skeleton(_operation_model().input_shape))


def output_skeleton(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return a ResolveCustomer response whose values are the members' names, without calling AWS.

    Raises:
        CommandError: the parameters are invalid.
    """
    _validate_parameters(parameters)
    return dict(ArgumentGenerator(use_member_names=True).generate_skeleton(_operation_model().output_shape))


def resolve_customer(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return AWS's response, its members in the order of the API model.

    Raises:
        CommandError: the parameters are invalid, AWS refused them, or no response came.
    """
    _validate_parameters(parameters)
    try:
        response = clients.current().metering(clients.OPERATOR_TIMEOUTS).resolve_customer(**parameters)
    except NoCredentialsError as error:
        advice = 'You can configure credentials by running "aws login".'
        raise CommandError(EXIT_NO_CREDENTIALS, f"An error occurred (NoCredentials): {error}. {advice}") from error
    except ClientError as error:
        token = parameters["RegistrationToken"]
        text = str(error).replace(token, "***") if len(token) >= MIN_REDACTED_LENGTH else str(error)
        raise CommandError(EXIT_AWS_ERROR, text) from error
    except errors.NO_RESPONSE_ERRORS as error:
        raise CommandError(EXIT_OTHER_ERROR, str(error)) from error
    return {name: value for name, value in response.items() if name != "ResponseMetadata"}


def _operation_model() -> Any:  # Any: in botocore's types an operation may lack input and output
    # A session would fail where the machine's AWS profile is invalid, and the skeletons need none.
    model = create_loader().load_service_model("meteringmarketplace", "service-2")
    return ServiceModel(model).operation_model("ResolveCustomer")


def _validate_parameters(parameters: dict[str, Any]) -> None:
    try:
        validate_parameters(parameters, _operation_model().input_shape)
    except ParamValidationError as error:
        report = str(error)
        for value in parameters.values():
            report = report.replace(f"value: {value}, ", "")  # botocore quotes the refused value: it may be the token
        raise invalid_input_error(report) from None
