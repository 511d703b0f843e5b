"""The domain's exceptions, from a buyer's landing to the registration."""


class FoyerError(Exception):
    """A failure that a page or the log explains.

    `code` is for the operator: AWS's or the database's own name of the error. `from_cache` says that another call got
    the error first, and that this one cost no call to AWS.
    """

    from_cache = False

    def __init__(self, code: str = "") -> None:
        super().__init__(code)
        self.code = code


class MissingToken(FoyerError):
    """The POST carried no registration token."""


class TooManyLandings(FoyerError):
    """The buyer's address reached the limit that `code` names. The limit resets in `retry_after_seconds`."""

    def __init__(self, code: str, retry_after_seconds: int) -> None:
        super().__init__(code)
        self.retry_after_seconds = retry_after_seconds


class NoPurchase(FoyerError):
    """The browser's session has no purchase."""


class RegisteredMeanwhile(FoyerError):
    """The purchase was registered, or its answers changed, after this form was shown."""


class UnknownProduct(FoyerError):
    """AWS named a product that the seller has not configured."""


class DatabaseUnavailable(FoyerError):
    """The database cannot be reached, or refused the transaction."""


class MarketplaceError(FoyerError):
    """AWS Marketplace did not resolve the registration token.

    `code` is AWS's error code, or the name of botocore's exception where no response came.
    """


class InvalidToken(MarketplaceError):
    """AWS does not know the registration token, or another seller account issued it."""


class ExpiredToken(MarketplaceError):
    """The registration token is older than AWS accepts."""


class Throttled(MarketplaceError):
    """AWS throttled the call and all its retries."""


class MarketplaceUnavailable(MarketplaceError):
    """AWS failed, could not be reached, or did not respond within the time budget."""


class ApiDisabled(MarketplaceError):
    """ResolveCustomer is disabled in the configured Region."""


class CredentialsRefused(MarketplaceError):
    """The seller's AWS credentials are missing, wrong or expired, or cannot be sent.

    After the code, `code` names the environment variables that have a quote, a line end or the like.
    """


class SetupInvalid(MarketplaceError):
    """The AWS SDK cannot make the call, because another setting is invalid. `code` is as for CredentialsRefused."""


class PermissionDenied(MarketplaceError):
    """The seller's AWS credentials may not call ResolveCustomer."""


class IncompleteAnswer(MarketplaceError):
    """AWS resolved the token but left out the product code or every customer id."""
