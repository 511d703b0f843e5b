"""What the texts of the settings may be: their patterns, examples and checks."""

from app.config import secret_key, setting_checks
from app.config.fields import Text
from app.config.setting_checks import ASCII, URL_HOST

# No quotes, no comments, and a domain that DNS allows.
EMAIL_PATTERN = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*"

EXACT_TEXT = Text(check=setting_checks.check_exact)
SECRET_KEY = Text(min_length=secret_key.MIN_LENGTH, check=setting_checks.check_secret_key)
DATABASE_URL = Text(check=setting_checks.check_database_url)
REGION = Text(pattern=r"[a-z]{2,}(-[a-z]+)+-[0-9]+", example="us-east-1")
ROLE_ARN = Text(
    pattern=rf"arn:aws[a-z-]*:iam::[0-9]{{12}}:role/({ASCII}+/)?[A-Za-z0-9_+=,.@-]+",
    example="arn:aws:iam::123456789012:role/foyer",
)
# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
EXTERNAL_ID = Text(pattern=r"[A-Za-z0-9_+=,.@:/-]{2,1224}", example="foyer-4b1d7e")
QUEUE_URL = Text(
    pattern=r"https?://[A-Za-z0-9.:\[\]_-]+(/[A-Za-z0-9._~%-]+)+",
    example="https://sqs.us-east-1.amazonaws.com/123456789012/foyer-events",
)
SITE_URL = Text(
    pattern=rf"https?://{URL_HOST}+", example="https://start.acme.example", check=setting_checks.check_exact
)
SENDER = Text(
    pattern=rf"[^<>]*<{EMAIL_PATTERN}>|{EMAIL_PATTERN}",
    example="Acme <start@acme.example>",
    check=setting_checks.check_text,
)
SMTP_URL = Text(check=setting_checks.check_smtp_url)
CONFIGURATION_SET = Text(pattern=r"[A-Za-z0-9_-]{1,64}", example="foyer")
HOST_NAME = Text(pattern=r"\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]+)?", example="start.acme.example")
PLAIN_PATH = Text(pattern=r"/|(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?", example="/redirectmarketplacetoken")
RATELIMIT_STORAGE_URI = Text(check=setting_checks.check_ratelimit_storage_uri)
