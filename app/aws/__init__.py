"""Calls to AWS, by the clients of botocore: boto3 adds nothing to them that is needed here."""
