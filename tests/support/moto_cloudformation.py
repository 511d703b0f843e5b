"""Adds to moto's CloudFormation the resource types that deploy/template.yaml needs and moto lacks."""

import json
from typing import Any, ClassVar

from botocore import xform_name
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.common_models import CloudFormationModel
from moto.iam.models import ManagedPolicy
from moto.ses.models import ses_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends


class CreatedResource:
    """A created resource. Not a CloudFormationModel: moto registers only the direct subclasses of that class."""

    TYPE: ClassVar[str]

    def __init__(self, name: str) -> None:
        self.physical_resource_id = name

    @classmethod
    def create(cls, properties: dict[str, Any], account_id: str, region_name: str) -> str | None:
        """Create the resource with the properties in the template; return its name, if it has one of its own."""
        raise NotImplementedError

    def delete(self, account_id: str, region_name: str) -> None:
        """Do nothing, unless a subclass does."""

    @classmethod
    def cloudformation_type(cls) -> str:
        """Return the type in the template; moto calls this, and the methods below."""
        return cls.TYPE

    @staticmethod
    def cloudformation_name_type() -> str:
        """Return that the resource has no name property."""
        return ""

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:  # noqa: ARG003  # moto gives it
        """Return that !GetAtt has no attributes."""
        return False

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> Any:
        """Return the resource, created."""
        return cls(cls.create(cloudformation_json["Properties"], account_id, region_name) or resource_name)


class QueuePolicy(CreatedResource, CloudFormationModel):
    """A queue's policy. Deleting the queue deletes it."""

    TYPE = "AWS::SQS::QueuePolicy"

    @classmethod
    def create(cls, properties: dict[str, Any], account_id: str, region_name: str) -> None:
        policy = json.dumps(_remove_no_value(properties["PolicyDocument"]))
        for url in properties["Queues"]:
            sqs_backends[account_id][region_name].set_queue_attributes(url.rpartition("/")[2], {"Policy": policy})


class Subscription(CreatedResource, CloudFormationModel):
    """The subscription of an endpoint; moto refuses a property that SNS does not have."""

    TYPE = "AWS::SNS::Subscription"

    @classmethod
    def create(cls, properties: dict[str, Any], account_id: str, region_name: str) -> str:
        topics = sns_backends[account_id][region_name]
        required = {key: properties[key] for key in ("TopicArn", "Endpoint", "Protocol")}
        subscription = topics.subscribe(*required.values())
        for attribute, value in properties.items():
            if attribute not in required:
                topics.set_subscription_attributes(subscription.arn, attribute, value)
        return str(subscription.arn)

    def delete(self, account_id: str, region_name: str) -> None:
        sns_backends[account_id][region_name].unsubscribe(self.physical_resource_id)


class Alarm(CreatedResource, CloudFormationModel):
    """An alarm; moto refuses a property that CloudWatch does not have."""

    TYPE = "AWS::CloudWatch::Alarm"

    @classmethod
    def create(cls, properties: dict[str, Any], account_id: str, region_name: str) -> str:
        values = {"alarm_actions": [], "dimensions": []} | {xform_name(key): value for key, value in properties.items()}
        alarm_name, description = values.pop("alarm_name"), values.pop("alarm_description")
        cloudwatch_backends[account_id][region_name].put_metric_alarm(alarm_name, description=description, **values)
        return str(alarm_name)

    def delete(self, account_id: str, region_name: str) -> None:
        cloudwatch_backends[account_id][region_name].delete_alarms([self.physical_resource_id])


class EventDestination(CreatedResource, CloudFormationModel):
    """A destination of a configuration set, which must exist."""

    TYPE = "AWS::SES::ConfigurationSetEventDestination"

    @classmethod
    def create(cls, properties: dict[str, Any], account_id: str, region_name: str) -> str:
        configuration_set, destination = properties["ConfigurationSetName"], properties["EventDestination"]
        backend = ses_backends[account_id][region_name]
        backend.create_configuration_set_event_destination(configuration_set, destination)
        return str(destination["Name"])

    def delete(self, account_id: str, region_name: str) -> None:
        ses_backends[account_id][region_name].event_destinations.pop(self.physical_resource_id)


class ManagedPolicyWithoutNoValue(CreatedResource, CloudFormationModel):
    """A managed policy, created by moto after AWS::NoValue is removed."""

    TYPE = "AWS::IAM::ManagedPolicy"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> ManagedPolicy:
        without = _remove_no_value(cloudformation_json)
        return ManagedPolicy.create_from_cloudformation_json(resource_name, without, account_id, region_name)


def _remove_no_value(part: Any) -> Any:
    # moto drops AWS::NoValue from mappings but turns it into None in lists.
    if isinstance(part, dict):
        return {name: _remove_no_value(value) for name, value in part.items()}
    return [_remove_no_value(value) for value in part if value is not None] if isinstance(part, list) else part
