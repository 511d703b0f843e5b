"""The pretend AWS Marketplace on this machine; only the sandbox command and the tests import it."""
