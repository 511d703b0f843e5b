"""Adds to moto's CloudFormation the resource types that deploy/template.yaml needs and moto lacks."""

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
    """A created resource. Not a CloudFormationModel: moto registers only the direct subclasses of that class."""

    def __init__(self, name: str) -> None:
        self.physical_resource_id = name

    @staticmethod
    def cloudformation_name_type() -> str:
        """Return that the resource has no name property."""
        return ""

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:  # noqa: ARG003  # moto gives it
        """Return that !GetAtt has no attributes."""
        return False

    def delete(self, account_id: str, region_name: str) -> None:
        """Do nothing: deleting the queue deletes its policy."""


class QueuePolicy(CreatedResource, CloudFormationModel):
    """AWS::SQS::QueuePolicy."""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::SQS::QueuePolicy"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> "QueuePolicy":
        properties = cloudformation_json["Properties"]
        policy = json.dumps(_remove_no_value(properties["PolicyDocument"]))
        for url in properties["Queues"]:
            sqs_backends[account_id][region_name].set_queue_attributes(url.rpartition("/")[2], {"Policy": policy})
        return cls(resource_name)


class Subscription(CreatedResource, CloudFormationModel):
    """AWS::SNS::Subscription."""

    @staticmethod
    def cloudformation_type() -> str:
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
        """Subscribe the endpoint; moto refuses a property that SNS does not have."""
        properties = dict(cloudformation_json["Properties"])
        topics = sns_backends[account_id][region_name]
        subscription = topics.subscribe(*(properties.pop(name) for name in ("TopicArn", "Endpoint", "Protocol")))
        for name, value in properties.items():
            topics.set_subscription_attributes(subscription.arn, name, value)
        return cls(subscription.arn)

    def delete(self, account_id: str, region_name: str) -> None:
        sns_backends[account_id][region_name].unsubscribe(self.physical_resource_id)


class Alarm(CreatedResource, CloudFormationModel):
    """AWS::CloudWatch::Alarm."""

    @staticmethod
    def cloudformation_type() -> str:
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
        """Create the alarm; moto refuses a property that CloudWatch does not have."""
        properties = {xform_name(name): value for name, value in cloudformation_json["Properties"].items()}
        name, description = properties.pop("alarm_name"), properties.pop("alarm_description")
        alarms = cloudwatch_backends[account_id][region_name]
        alarms.put_metric_alarm(name, description=description, **{"alarm_actions": [], **properties})
        return cls(name)

    def delete(self, account_id: str, region_name: str) -> None:
        cloudwatch_backends[account_id][region_name].delete_alarms([self.physical_resource_id])


class EventDestination(CreatedResource, CloudFormationModel):
    """AWS::SES::ConfigurationSetEventDestination."""

    @staticmethod
    def cloudformation_type() -> str:
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
        """Add the destination to its configuration set, which must exist."""
        properties = cloudformation_json["Properties"]
        name, destination = properties["ConfigurationSetName"], properties["EventDestination"]
        ses_backends[account_id][region_name].create_configuration_set_event_destination(name, destination)
        return cls(destination["Name"])

    def delete(self, account_id: str, region_name: str) -> None:
        ses_backends[account_id][region_name].event_destinations.pop(self.physical_resource_id)


class ManagedPolicyWithoutNoValue(CreatedResource, CloudFormationModel):
    """AWS::IAM::ManagedPolicy, created by moto after AWS::NoValue is removed."""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::IAM::ManagedPolicy"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> ManagedPolicy:
        return ManagedPolicy.create_from_cloudformation_json(
            resource_name, _remove_no_value(cloudformation_json), account_id, region_name
        )


def _remove_no_value(part: Any) -> Any:
    # moto drops AWS::NoValue from mappings but turns it into None in lists.
    if isinstance(part, dict):
        return {name: _remove_no_value(value) for name, value in part.items()}
    return [_remove_no_value(value) for value in part if value is not None] if isinstance(part, list) else part
