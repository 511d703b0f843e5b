"""production.yaml as moto can make it: without the secrets, the parameter group and the attributes that it lacks."""

import json
from pathlib import Path
from typing import Any

from deploy import templates

SECRETS = ("Keys", "HandoffSecret", "DatabasePassword")
ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
LACKING = ("AWS::SecretsManager::Secret", "AWS::RDS::DBParameterGroup", "AWS::Logs::MetricFilter")


def write(path: Path) -> Path:
    """Write the template into the file."""
    _, template = templates.read(templates.PRODUCTION)
    resources = {name: made for name, made in template["Resources"].items() if made["Type"] not in LACKING}
    text = json.dumps({**template, "Resources": resources})
    for name in SECRETS:
        text = text.replace(json.dumps({"Ref": name}), json.dumps(ARN + name)).replace(f"${{{name}}}", ARN + name)
    for name, value in {"Address": "db.example", "Port": "5432"}.items():
        text = text.replace(f"${{Database.Endpoint.{name}}}", value)
    text = text.replace(json.dumps({"Fn::GetAtt": ["LoadBalancer", "LoadBalancerFullName"]}), '"app/foyer/1"')
    changed: dict[str, Any] = json.loads(text)
    database = changed["Resources"]["Database"]["Properties"]
    del database["DBParameterGroupName"]
    database["MasterUserPassword"] = "not-a-secret"
    path.write_text(json.dumps(changed, separators=(",", ":")), encoding="utf-8")
    return path
