"""Deploys Foyer to AWS, and removes it: `make deploy`, `make undeploy` and `make remote`; see docs/deploy.md.

`python -m deploy deploy` checks the input and the account, builds and pushes the image, shows CloudFormation's change
set and executes it, follows the stack's events, and runs `foyer doctor` in a task. It uses boto3 with the credentials,
profile and endpoint of the environment. Nothing in here is in the image.
"""
