"""The pretend AWS Marketplace and the example product; only `foyer sandbox`, `make run` and the tests import it."""
