"""AWS: the only folder, beside the sandbox, that knows boto3."""
