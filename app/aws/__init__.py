"""Calls to AWS. Only this package and the sandbox import boto3."""
