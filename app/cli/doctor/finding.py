"""The result of a doctor check that is neither ok nor a failure."""

import click


class Warn(click.ClickException):
    """Nothing is broken, but something that the seller will want is not set up."""
