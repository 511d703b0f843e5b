"""The domain's exceptions: what can go wrong between a buyer's click and a registration."""


class FoyerError(Exception):
    """Something a buyer or the seller has to hear about.

    `code` tells the operator more: AWS's or the database's own name for what went wrong. `remembered` is whether
    somebody else heard it first, and AWS was not asked again.
    """

    from_cache = False

    def __init__(self, code: str = "") -> None:
        super().__init__(code)
        self.code = code


class MissingToken(FoyerError):
    """The POST carried no registration token."""


class TooManyLandings(FoyerError):
    """The buyer's address has used up a limit, which `code` names; `seconds` from now it starts anew."""

    def __init__(self, code: str, retry_after_seconds: int) -> None:
        super().__init__(code)
        self.retry_after_seconds = retry_after_seconds


class NoPurchase(FoyerError):
    """This browser's session holds no purchase."""


class RegisteredMeanwhile(FoyerError):
    """Somebody else has registered for the purchase since this form was shown, or has changed the answers."""


class UnknownProduct(FoyerError):
    """AWS named a product that this seller has not configured here."""


class DatabaseUnavailable(FoyerError):
    """The database cannot be reached or does not take the transaction."""


class MarketplaceError(FoyerError):
    """AWS Marketplace did not resolve the registration token.

    `code` is AWS's error code, or the name of botocore's exception where no answer came.
    """


class InvalidToken(MarketplaceError):
    """AWS does not know the registration token, or another seller account issued it."""


class ExpiredToken(MarketplaceError):
    """The registration token is older than AWS accepts."""


class Throttled(MarketplaceError):
    """AWS still asked us to slow down after every retry."""


class MarketplaceUnavailable(MarketplaceError):
    """AWS failed, could not be reached, or did not answer within the time budget."""


class ApiDisabled(MarketplaceError):
    """ResolveCustomer is disabled in the configured Region."""


class CredentialsRefused(MarketplaceError):
    """The seller's AWS credentials are missing, wrong or expired."""


class PermissionDenied(MarketplaceError):
    """The seller's AWS credentials may not call ResolveCustomer."""


class IncompleteAnswer(MarketplaceError):
    """AWS resolved the token but left out the product code or every customer id."""
