"""The AWS account that the environment's credentials belong to, and its clients."""

import difflib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config

from deploy.errors import DeployError

EVENTS_REGION = "us-east-1"
CONFIG = Config(connect_timeout=10, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 5})


@dataclass(frozen=True)
class Identity:
    """Who calls AWS: the account's id, the caller's ARN, and the partition, which is aws for most."""

    account_id: str
    arn: str

    @property
    def partition(self) -> str:
        """The second part of every ARN of this account."""
        return self.arn.split(":")[1]


class Account:
    """Gives clients for one Region; each is made once.

    Raises:
        DeployError: there is no such Region.
    """

    def __init__(self, region: str) -> None:
        self.region = region
        self._session = boto3.Session()
        self._clients: dict[tuple[str, str], Any] = {}
        regions = self._session.get_available_regions("ecs")
        if region not in regions:
            close = difflib.get_close_matches(region, regions, 1)
            hint = f" Did you mean {close[0]}?" if close else " Name one such as eu-central-1."
            raise DeployError(f"REGION={region} is no Region of AWS.{hint}")

    def client(self, service: str, region: str = "") -> Any:
        """Return the client of a service, in another Region if one is named."""
        key = service, region or self.region
        if key not in self._clients:
            client = self._session.client(service, region_name=key[1], config=CONFIG)  # type: ignore[call-overload]
            client.meta.events.register("after-call", _name_service)
            self._clients[key] = client
        return self._clients[key]

    @cached_property
    def identity(self) -> Identity:
        """The caller; the first call to AWS, which fails if the credentials do not work."""
        caller = self.client("sts").get_caller_identity()
        return Identity(caller["Account"], caller["Arn"])

    def variables(self, stack_name: str) -> str:
        """Return what names the stack to make: STACK=foyer, and its Region if that is not the default."""
        return f"STACK={stack_name}" if self.region == EVENTS_REGION else f"STACK={stack_name} REGION={self.region}"

    def close(self) -> None:
        """Close the clients' connections."""
        while self._clients:
            self._clients.popitem()[1].close()


def _name_service(parsed: dict[str, Any], model: Any, **_: object) -> None:
    """Add to an error which service gave it, in the spelling of IAM, for the statement that would allow the call."""
    if "Error" in parsed:
        parsed["Error"]["Service"] = model.service_model.signing_name
