"""The repository of ECR: made by a stack of its own, signed in to, and asked for what an image was built for."""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any

import requests
from botocore.exceptions import ClientError

from deploy import change_sets, stacks, templates
from deploy.account import Account
from deploy.builders import ARCHITECTURES
from deploy.change_sets import Request
from deploy.errors import DeployError
from deploy.progress import Follower

STACK_SUFFIX = "-image"
ECR_IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)/(?P<name>[^:@]+)"
    r"(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]+))?"
)
MEDIA_TYPES = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
]
TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Repository:
    """Where images are pushed to."""

    uri: str
    name: str


def ensure(account: Account, stack_name: str, poll_seconds: float) -> Repository:
    """Return the repository of the stack STACK-image, made if it does not exist.

    Raises:
        DeployError: it could not be made.
    """
    name = f"{stack_name}{STACK_SUFFIX}"
    stack = stacks.find(account, name)
    if stack is None or "RepositoryUri" not in stack.outputs:
        body, template = templates.read(templates.REGISTRY)
        stack = _clear(account, stack, poll_seconds)
        made = change_sets.create(account, Request(name, body, template, {}, stack), poll_seconds)
        if made:
            follower = Follower(account, made.stack_id, poll_seconds=poll_seconds)
            stack = change_sets.execute(account, made, follower, goes_on=not made.is_new_stack)
    if stack is None or "RepositoryUri" not in stack.outputs:
        raise DeployError(
            f"The repository for images could not be made: stack {name} is {stack.status if stack else 'missing'}.",
            f"Delete stack {name} in CloudFormation, and run the same command again. Or push the image somewhere "
            "yourself, and name it: IMAGE=...",
        )
    return Repository(stack.outputs["RepositoryUri"], stack.outputs["RepositoryName"])


def _clear(account: Account, stack: stacks.Stack | None, poll_seconds: float) -> stacks.Stack | None:
    """Delete a stack that holds nothing yet, and return the one to go on with."""
    if stack is None or stack.status in stacks.HALFWAY:
        return stack
    follower = Follower(account, stack.id, poll_seconds=poll_seconds)
    if not stack.is_busy:
        account.client("cloudformation").delete_stack(StackName=stack.name)
    follower.follow()
    return stacks.find(account, stack.name)


def has_image(account: Account, repository: Repository, tag: str) -> bool:
    """Return whether the repository has an image with this tag."""
    try:
        account.client("ecr").describe_images(repositoryName=repository.name, imageIds=[{"imageTag": tag}])
    except ClientError as error:
        if error.response["Error"]["Code"] == "ImageNotFoundException":
            return False
        raise
    return True


def credentials(account: Account) -> tuple[str, str]:
    """Return the user and the password for the account's registry, valid for twelve hours."""
    [data] = account.client("ecr").get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    return user, password


def architectures(account: Account, image: str) -> set[str]:
    """Return what an image was built for, in the words of the parameter Architecture; empty outside ECR.

    Raises:
        DeployError: the image is not in its repository.
    """
    place = ECR_IMAGE.fullmatch(image)
    if not place:
        return set()
    ecr = account.client("ecr", place["region"])
    image_id = {"imageDigest": place["digest"]} if place["digest"] else {"imageTag": place["tag"] or "latest"}
    try:
        answer = ecr.batch_get_image(
            registryId=place["account"],
            repositoryName=place["name"],
            imageIds=[image_id],
            acceptedMediaTypes=MEDIA_TYPES,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "RepositoryNotFoundException":
            raise _no_image(image) from None
        raise
    if not answer["images"]:
        raise _no_image(image)
    manifest = json.loads(answer["images"][0]["imageManifest"])
    if "manifests" in manifest:
        platforms = [item.get("platform", {}).get("architecture", "") for item in manifest["manifests"]]
        return {ARCHITECTURES[platform] for platform in platforms if platform in ARCHITECTURES}
    return _read_config(ecr, place, manifest)


def _read_config(ecr: Any, place: re.Match[str], manifest: dict[str, Any]) -> set[str]:
    try:
        url = ecr.get_download_url_for_layer(
            registryId=place["account"], repositoryName=place["name"], layerDigest=manifest["config"]["digest"]
        )["downloadUrl"]
        config = requests.get(url, timeout=TIMEOUT_SECONDS).json()
    except (ClientError, requests.RequestException, KeyError):
        return set()  # the tasks say so if it is the wrong one
    return {ARCHITECTURES[config["architecture"]]} if config.get("architecture") in ARCHITECTURES else set()


def _no_image(image: str) -> DeployError:
    return DeployError(f"There is no image {image}.", "Push it first, or leave out IMAGE to have it built.")
