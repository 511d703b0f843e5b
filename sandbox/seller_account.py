"""The AWS accounts in the sandbox: the seller's, with its Region and the name of its events queue, and AWS's own."""

# moto uses this account for every access key that it did not issue itself.
SELLER_ACCOUNT_ID = "123456789012"
# AWS Marketplace's own account, which the ARNs of licenses name.
MARKETPLACE_ACCOUNT_ID = "294406891311"
# AWS Marketplace sends its events in this Region only.
REGION = "us-east-1"
QUEUE_NAME = "foyer-events"
QUEUE_PATH = f"/{SELLER_ACCOUNT_ID}/{QUEUE_NAME}"
