"""What a check of the doctor can find beside that all is well, or that something fails."""

import click


class Warn(click.ClickException):
    """Nothing is broken, but something is not set up that the seller will want."""
