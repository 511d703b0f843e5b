"""The seller's AWS account in the sandbox: its id, its Region and the name of its events queue."""

# moto uses this account for every access key that it did not issue itself.
SELLER_ACCOUNT_ID = "123456789012"
# AWS Marketplace sends its events in this Region only.
REGION = "us-east-1"
QUEUE_NAME = "foyer-events"
QUEUE_PATH = f"/{SELLER_ACCOUNT_ID}/{QUEUE_NAME}"
