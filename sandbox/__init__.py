"""The pretend AWS Marketplace and the example product; only `flask sandbox`, `make run` and the tests import it."""
