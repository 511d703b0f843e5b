"""deploy/production.yaml, read as it is: what neither cfn-lint nor checkov finds wrong in a template."""

import json
import re
from typing import Any

import pytest

from app.config.settings import SETTINGS
from tests.support import templates
from tests.support.factories import TOKEN_FIELD

TEMPLATE = templates.load(templates.PRODUCTION)
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
CONTAINERS = templates.containers(TEMPLATE)
SAME_IN_ALL = ("Image", "Environment", "Secrets", "User", "ReadonlyRootFilesystem", "MountPoints", "StopTimeout")
SECRETS = {"SECRET_KEY", "SECRET_KEY_FALLBACKS", "HANDOFF_SECRET", "DATABASE_PASSWORD"}
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbinstance.html: to change one
# of these replaces the database, or leads it to another snapshot.
IDENTITY_OF_DATABASE = {
    "Engine": "postgres",
    "StorageEncrypted": True,
    "DBName": {"Fn::If": ["FromSnapshot", {"Ref": "AWS::NoValue"}, "foyer"]},
    "MasterUsername": {"Fn::If": ["FromSnapshot", {"Ref": "AWS::NoValue"}, "foyer"]},
    "DBSnapshotIdentifier": {"Fn::If": ["FromSnapshot", {"Ref": "SnapshotId"}, {"Ref": "AWS::NoValue"}]},
    "DBSubnetGroupName": {"Ref": "DatabaseSubnets"},
}
REPLACING_PROPERTIES = {
    *IDENTITY_OF_DATABASE,
    "AvailabilityZone",
    "CharacterSetName",
    "CustomIAMInstanceProfile",
    "DBClusterIdentifier",
    "DBInstanceIdentifier",
    "DBSystemId",
    "KmsKeyId",
    "NcharCharacterSetName",
    "SourceDBInstanceIdentifier",
    "SourceRegion",
    "Timezone",
}


def properties(name: str) -> dict[str, Any]:
    """Return the properties of a resource."""
    return dict(RESOURCES[name]["Properties"])


def without_notifications(resource: dict[str, Any]) -> dict[str, Any]:
    """Return the resource without what a stack with its own role and topic says differently."""
    own = {"AlarmActions", "Roles"}
    kept = {name: value for name, value in resource["Properties"].items() if name not in own}
    return {**resource, "Condition": resource.get("Condition", "MakesEvents"), "Properties": kept}


@pytest.mark.parametrize("name", templates.load(templates.EVENTS)["Resources"])
def test_resource_of_the_events_stack_is_the_same_here(name: str) -> None:
    events_stack = templates.load(templates.EVENTS)["Resources"]

    assert without_notifications(RESOURCES[name]) == without_notifications(events_stack[name])


def test_template_can_be_sent_without_a_bucket() -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
    assert templates.PRODUCTION.stat().st_size <= 51_200


def test_every_variable_is_a_setting_and_every_secret_is_secret() -> None:
    for name, container in CONTAINERS.items():
        environment = {variable["Name"] for variable in container["Environment"]}
        secrets = {secret["Name"] for secret in container["Secrets"]}

        assert environment | secrets <= {setting.upper() for setting in SETTINGS}, name
        assert secrets == SECRETS
        assert not environment & secrets


def test_all_containers_have_the_same_settings_image_and_limits() -> None:
    web = CONTAINERS["web"]

    for container in CONTAINERS.values():
        assert {field: container[field] for field in SAME_IN_ALL} == {field: web[field] for field in SAME_IN_ALL}


def test_container_that_others_wait_for_exists_and_may_end() -> None:
    for task in ("WebTask", "WorkerTask"):
        definitions = {made["Name"]: made for made in properties(task)["ContainerDefinitions"]}
        for container in definitions.values():
            for dependency in container.get("DependsOn", []):
                # ECS refuses this condition for an essential container.
                assert dependency["Condition"] == "SUCCESS"
                assert definitions[dependency["ContainerName"]]["Essential"] is False


def test_web_waits_for_the_migration_and_the_worker_for_the_web() -> None:
    assert CONTAINERS["web"]["DependsOn"] == [{"ContainerName": "migrate", "Condition": "SUCCESS"}]
    assert CONTAINERS["migrate"]["Command"] == ["foyer", "db", "upgrade"]
    assert RESOURCES["WorkerService"]["DependsOn"] == "WebService"


def test_load_balancer_reaches_a_port_that_a_container_has() -> None:
    targets = properties("WebTargets")

    [balancer] = properties("WebService")["LoadBalancers"]
    ports = [mapping["ContainerPort"] for mapping in CONTAINERS[balancer["ContainerName"]]["PortMappings"]]
    assert balancer["ContainerPort"] in ports
    assert balancer["TargetGroupArn"] == {"Ref": "WebTargets"}
    assert (targets["TargetType"], targets["Port"], targets["HealthCheckPath"]) == ("ip", 8000, "/readyz")
    assert f"0.0.0.0:{balancer['ContainerPort']}" in CONTAINERS["web"]["Command"]


def test_task_has_time_to_finish_its_requests() -> None:
    graceful_seconds = 20
    draining = int(properties("WebTargets")["TargetGroupAttributes"][0]["Value"])

    assert draining <= CONTAINERS["web"]["StopTimeout"]
    assert CONTAINERS["web"]["StopTimeout"] > graceful_seconds * 3


def test_failed_deployment_is_rolled_back() -> None:
    for service in ("WebService", "WorkerService"):
        configuration = properties(service)["DeploymentConfiguration"]
        assert configuration["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
        assert configuration["MinimumHealthyPercent"] == 100


def test_database_is_kept_encrypted_and_reached_over_tls_alone() -> None:
    database = RESOURCES["Database"]

    assert (database["DeletionPolicy"], database["UpdateReplacePolicy"]) == ("Snapshot", "Snapshot")
    assert properties("Database")["DeletionProtection"] is True
    assert properties("Database")["BackupRetentionPeriod"] >= 7
    assert properties("Database")["PubliclyAccessible"] is False
    assert properties("DatabaseParameters")["Parameters"] == {"rds.force_ssl": "1"}
    [url] = [made["Value"] for made in CONTAINERS["web"]["Environment"] if made["Name"] == "DATABASE_URL"]
    assert "sslmode=require" in url["Fn::Sub"]


def test_nothing_that_replaces_the_database_has_changed() -> None:
    identity = {name: value for name, value in properties("Database").items() if name in REPLACING_PROPERTIES}

    assert identity == IDENTITY_OF_DATABASE


def test_secrets_outlive_the_stack() -> None:
    for resource in RESOURCES.values():
        if resource["Type"] == "AWS::SecretsManager::Secret":
            assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_only_the_load_balancer_is_open_to_the_internet() -> None:
    open_groups = {
        name: [rule["FromPort"] for rule in resource["Properties"]["SecurityGroupIngress"] if "CidrIp" in rule]
        for name, resource in RESOURCES.items()
        if resource["Type"] == "AWS::EC2::SecurityGroup"
    }

    assert open_groups == {"LoadBalancerSecurityGroup": [443, 80], "TaskSecurityGroup": [], "DatabaseSecurityGroup": []}


def test_metrics_are_refused_and_plain_http_is_redirected() -> None:
    assert properties("HideMetrics")["Conditions"][0]["PathPatternConfig"]["Values"] == ["/metrics"]
    assert properties("HideMetrics")["Actions"][0]["FixedResponseConfig"]["StatusCode"] == "404"
    [redirect] = properties("RedirectToHttps")["DefaultActions"]
    assert redirect["RedirectConfig"] == {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}


def test_request_limit_blocks_but_never_challenges_and_spares_landings() -> None:
    [rule] = properties("RequestLimit")["Rules"]

    assert rule["Action"] == {"Block": {}}
    scope = rule["Statement"]["RateBasedStatement"]["ScopeDownStatement"]["NotStatement"]["Statement"]["OrStatement"]
    spared = {made["ByteMatchStatement"]["SearchString"] for made in scope["Statements"]}
    assert spared == {"/", TOKEN_FIELD}
    assert not {"Challenge", "Captcha"} & set(re.findall(r"\w+", json.dumps(properties("RequestLimit"))))


def test_every_metric_of_an_alarm_exists() -> None:
    filtered = {
        made["MetricName"]
        for resource in RESOURCES.values()
        if resource["Type"] == "AWS::Logs::MetricFilter"
        for made in resource["Properties"]["MetricTransformations"]
    }

    watched = {
        resource["Properties"]["MetricName"]
        for resource in RESOURCES.values()
        if resource["Type"] == "AWS::CloudWatch::Alarm" and isinstance(resource["Properties"]["Namespace"], dict)
    }
    assert watched == filtered


def test_every_alarm_notifies_somebody() -> None:
    alarms = [made["Properties"] for made in RESOURCES.values() if made["Type"] == "AWS::CloudWatch::Alarm"]

    assert len(alarms) == 10
    topic = {"Fn::If": ["HasAlarmTopic", {"Ref": "AlarmTopicArn"}, {"Ref": "AlarmTopic"}]}
    assert all(alarm["AlarmActions"] == [topic] for alarm in alarms)


def test_every_parameter_is_used_and_has_a_default_or_a_reason() -> None:
    used = {*templates.find_all([RESOURCES, TEMPLATE["Conditions"], TEMPLATE["Outputs"]], "Ref")}
    texts = map(str, templates.find_all(RESOURCES, "Fn::Sub"))
    used |= {name for text in texts for name in re.findall(r"\$\{(\w+)\}", text)}

    for name, parameter in TEMPLATE["Parameters"].items():
        assert name in used, name
        assert "Default" in parameter or "Description" in parameter, name
    assert {name for name, made in TEMPLATE["Parameters"].items() if "Default" not in made} == {"DomainName", "Image"}
