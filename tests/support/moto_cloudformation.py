"""What moto's CloudFormation lacks, so that the template goes in as it is written."""

import json
from typing import Any

from botocore import xform_name
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.common_models import CloudFormationModel
from moto.iam.models import ManagedPolicy
from moto.ses.models import ses_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends


class CreatedResource:
    """A resource that was made. No CloudFormationModel itself: moto asks that class for its children alone."""

    def __init__(self, name: str) -> None:
        self.physical_resource_id = name

    @staticmethod
    def cloudformation_name_type() -> str:
        """Return that the resource has no name of its own."""
        return ""

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:  # noqa: ARG003  # moto gives it
        """Return that no attribute can be asked for."""
        return False

    def delete(self, account_id: str, region_name: str) -> None:
        """Leave it: it goes with the queue."""


class QueuePolicy(CreatedResource, CloudFormationModel):
    """AWS::SQS::QueuePolicy."""

    @staticmethod
    def cloudformation_type() -> str:
        """Return the name that moto looks for."""
        return "AWS::SQS::QueuePolicy"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> "QueuePolicy":
        """Set the policy on its queues."""
        properties = cloudformation_json["Properties"]
        policy = json.dumps(_remove_no_value(properties["PolicyDocument"]))
        for url in properties["Queues"]:
            sqs_backends[account_id][region_name].set_queue_attributes(url.rpartition("/")[2], {"Policy": policy})
        return cls(resource_name)


class Subscription(CreatedResource, CloudFormationModel):
    """AWS::SNS::Subscription."""

    @staticmethod
    def cloudformation_type() -> str:
        """Return the name that moto looks for."""
        return "AWS::SNS::Subscription"

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,  # noqa: ARG003  # moto gives it
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **_: Any,
    ) -> "Subscription":
        """Subscribe the endpoint to its topic; a property that is not SNS's is refused."""
        properties = dict(cloudformation_json["Properties"])
        topics = sns_backends[account_id][region_name]
        made = topics.subscribe(*(properties.pop(name) for name in ("TopicArn", "Endpoint", "Protocol")))
        for name, value in properties.items():
            topics.set_subscription_attributes(made.arn, name, value)
        return cls(made.arn)

    def delete(self, account_id: str, region_name: str) -> None:
        """Unsubscribe."""
        sns_backends[account_id][region_name].unsubscribe(self.physical_resource_id)


class Alarm(CreatedResource, CloudFormationModel):
    """AWS::CloudWatch::Alarm."""

    @staticmethod
    def cloudformation_type() -> str:
        """Return the name that moto looks for."""
        return "AWS::CloudWatch::Alarm"

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,  # noqa: ARG003  # moto gives it
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **_: Any,
    ) -> "Alarm":
        """Make the alarm; a property that is not CloudWatch's is refused."""
        properties = {xform_name(name): value for name, value in cloudformation_json["Properties"].items()}
        name, description = properties.pop("alarm_name"), properties.pop("alarm_description")
        alarms = cloudwatch_backends[account_id][region_name]
        alarms.put_metric_alarm(name, description=description, **{"alarm_actions": [], **properties})
        return cls(name)

    def delete(self, account_id: str, region_name: str) -> None:
        """Take the alarm down."""
        cloudwatch_backends[account_id][region_name].delete_alarms([self.physical_resource_id])


class EventDestination(CreatedResource, CloudFormationModel):
    """AWS::SES::ConfigurationSetEventDestination."""

    @staticmethod
    def cloudformation_type() -> str:
        """Return the name that moto looks for."""
        return "AWS::SES::ConfigurationSetEventDestination"

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,  # noqa: ARG003  # moto gives it
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **_: Any,
    ) -> "EventDestination":
        """Add the destination to its configuration set, which has to be there."""
        properties = cloudformation_json["Properties"]
        name, destination = properties["ConfigurationSetName"], properties["EventDestination"]
        ses_backends[account_id][region_name].create_configuration_set_event_destination(name, destination)
        return cls(destination["Name"])

    def delete(self, account_id: str, region_name: str) -> None:
        """Take the destination away."""
        ses_backends[account_id][region_name].event_destinations.pop(self.physical_resource_id)


class ManagedPolicyWithoutNoValue(CreatedResource, CloudFormationModel):
    """AWS::IAM::ManagedPolicy."""

    @staticmethod
    def cloudformation_type() -> str:
        """Return the name that moto looks for."""
        return "AWS::IAM::ManagedPolicy"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> ManagedPolicy:
        """Make the policy as moto does, of what is left without AWS::NoValue."""
        left = _remove_no_value(cloudformation_json)
        return ManagedPolicy.create_from_cloudformation_json(resource_name, left, account_id, region_name)


def _remove_no_value(part: Any) -> Any:
    # moto drops AWS::NoValue from mappings, and makes it None in lists.
    if isinstance(part, dict):
        return {name: _remove_no_value(value) for name, value in part.items()}
    return [_remove_no_value(value) for value in part if value is not None] if isinstance(part, list) else part
