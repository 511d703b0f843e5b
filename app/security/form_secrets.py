"""Form secrets: the CSRF secret of a purchase's sign-up form, one for each purchase.

Two tabs of the same purchase can both be submitted. A form of one purchase is refused once the session is another
purchase's.
"""

from hashlib import sha256
from hmac import HMAC

from flask import current_app


def current(purchase_name: str) -> str:
    """Return the secret that Flask-WTF signs into the purchase's form.

    `purchase_name` is the purchase key or, for a pending purchase, the id of its token.
    """
    return _derive(purchase_name, current_app.config["SECRET_KEY"])


def all_known(purchase_name: str) -> set[str]:
    """Return the secrets of the purchase's forms: by the secret key, each earlier one and each leaked one.

    They tell to which purchase a draft belongs, and prove nothing.
    """
    config = current_app.config
    keys = [config["SECRET_KEY"], *config["SECRET_KEY_FALLBACKS"], *config["SECRET_KEY_LEAKED"]]
    return {_derive(purchase_name, key) for key in keys}


def _derive(purchase_name: str, key: str) -> str:
    return HMAC(key.encode(), f"signup-form:{purchase_name}".encode(), sha256).hexdigest()
