"""An update of a stack: what it replaces, from each committed version of a template to the present one."""

import copy
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.production.images import is_history_available
from tests.production.stack import PARAMETERS
from tests.support import templates
from tests.support.processes import ROOT
from tests.support.template_changes import lost_resources

# What a seller's data is in. A rename of the queue makes a new one beside it, which a person has to ask for.
KEPT = {"EventsQueue", "DeadLetterQueue", "Database", "Keys", "HandoffSecret", "DatabasePassword", "DatabaseSubnets"}
GIVEN = {**PARAMETERS, "Image": "foyer:1", "SesConfigurationSet": "acme", "TopicArn1": "arn:aws:sns:us-east-1:1:a"}


def versions(path: Path) -> list[str]:
    """Return the commits that changed the file, the first one first."""
    command = ["git", "log", "--reverse", "--format=%h", "--", str(path.relative_to(ROOT))]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


def load_version(commit: str, path: Path, folder: Path) -> dict[str, Any]:
    """Return the template as it was in the commit."""
    command = ["git", "show", f"{commit}:{path.relative_to(ROOT)}"]
    old = folder / path.name
    old.write_bytes(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)
    return templates.load(old)


def changed(path: Path, resource: str, name: str, value: Any) -> dict[str, Any]:
    """Return the template with another value of one property of a resource."""
    template: dict[str, Any] = copy.deepcopy(templates.load(path))
    template["Resources"][resource]["Properties"][name] = value
    return template


@pytest.mark.skipif(not is_history_available(), reason="a shallow clone has no earlier templates")
@pytest.mark.parametrize("path", [templates.EVENTS, templates.PRODUCTION], ids=lambda path: str(path.name))
def test_no_update_replaces_what_data_is_in(path: Path, tmp_path: Path) -> None:
    present = templates.load(path)

    for commit in versions(path):
        lost = lost_resources(load_version(commit, path, tmp_path), present, GIVEN)
        assert not KEPT & lost.keys(), f"{commit}: {lost}"


@pytest.mark.skipif(not is_history_available(), reason="a shallow clone has no earlier templates")
def test_first_events_stack_becomes_todays_with_a_new_policy_alone(tmp_path: Path) -> None:
    first = load_version(versions(templates.EVENTS)[0], templates.EVENTS, tmp_path)

    lost = lost_resources(first, templates.load(templates.EVENTS), GIVEN)

    # IAM cannot change a description. The new policy is attached before the old one is deleted.
    assert lost == {"FoyerPolicy": ["/properties/Description"]}


@pytest.mark.parametrize(
    ("resource", "name", "value", "lost"),
    [
        ("EventsQueue", "VisibilityTimeout", 30, {}),
        ("EventsQueue", "QueueName", "other", {"EventsQueue": ["/properties/QueueName"]}),
        ("Database", "AllocatedStorage", "40", {}),
        ("Database", "DBName", "other", {"Database": ["/properties/DBName"]}),
        ("Database", "StorageEncrypted", False, {"Database": ["/properties/StorageEncrypted"]}),
        ("Database", "Engine", "aurora-postgresql", {"Database": ["/properties/Engine"]}),
    ],
)
def test_change_of_a_fixed_property_replaces_the_resource(
    resource: str, name: str, value: Any, lost: dict[str, list[str]]
) -> None:
    found = lost_resources(
        templates.load(templates.PRODUCTION), changed(templates.PRODUCTION, resource, name, value), GIVEN
    )

    assert {name: reasons for name, reasons in found.items() if name == resource} == lost


def test_what_refers_to_a_replaced_resource_is_replaced_with_it() -> None:
    after = changed(templates.PRODUCTION, "DatabaseSubnets", "DBSubnetGroupName", "other")

    lost = lost_resources(templates.load(templates.PRODUCTION), after, GIVEN)

    # The containers' environment has the database's address. Every new task definition replaces the one before.
    assert lost == {
        "DatabaseSubnets": ["/properties/DBSubnetGroupName"],
        "Database": ["/properties/DBSubnetGroupName"],
        "WebTask": ["/properties/ContainerDefinitions"],
        "WorkerTask": ["/properties/ContainerDefinitions"],
    }


def test_removed_resource_and_one_whose_condition_ends_are_lost() -> None:
    after: dict[str, Any] = copy.deepcopy(templates.load(templates.PRODUCTION))
    del after["Resources"]["StorageAlarm"]
    after["Conditions"]["MakesKeys"] = {"Fn::Equals": ["1", "2"]}

    lost = lost_resources(templates.load(templates.PRODUCTION), after, GIVEN)

    assert (lost["StorageAlarm"], lost["Keys"]) == (["removed"], ["removed"])


def test_new_default_of_a_parameter_counts() -> None:
    after: dict[str, Any] = copy.deepcopy(templates.load(templates.PRODUCTION))
    after["Parameters"]["QueueName"]["Default"] = "other"

    lost = lost_resources(templates.load(templates.PRODUCTION), after, GIVEN)

    assert {"EventsQueue", "DeadLetterQueue", "EventRule"} <= lost.keys()
