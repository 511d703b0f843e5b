#!/usr/bin/env bash
# A stack that was made by executing a change set has its resources, and none of its template's outputs.
# Met by whoever tests a deployment that works as `aws cloudformation deploy` does: the same template has outputs by create_stack.
# moto 5.2.5, 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q "moto[cloudformation,sqs]==5.2.5" "boto3==1.43.111"
cat > "$folder/outputs.py" <<'PY'
import json

import boto3
import moto

TEMPLATE = json.dumps(
    {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {"Url": {"Value": {"Ref": "Queue"}}},
    }
)

with moto.mock_aws():
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
    client = boto3.client("cloudformation", **keys)
    client.create_stack(StackName="created", TemplateBody=TEMPLATE)
    client.create_change_set(StackName="changed", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=TEMPLATE)
    client.execute_change_set(StackName="changed", ChangeSetName="first")
    for name in ("created", "changed"):
        [stack] = client.describe_stacks(StackName=name)["Stacks"]
        resources = client.describe_stack_resources(StackName=name)["StackResources"]
        outputs = [output["OutputKey"] for output in stack.get("Outputs", [])]
        print(f"{name}: {stack['StackStatus']}, {len(resources)} resource, outputs {outputs}")
PY
"$folder/venv/bin/python" -c "from importlib.metadata import version; print('moto', version('moto'))"
seen=$("$folder/venv/bin/python" "$folder/outputs.py")
echo "$seen"
[ "$seen" = "created: CREATE_COMPLETE, 1 resource, outputs ['Url']
changed: CREATE_COMPLETE, 1 resource, outputs []" ]
