"""Decides which image is deployed: the one that IMAGE names, or one that is built from this commit and pushed."""

import hashlib
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy import builders, console, products_files, registry
from deploy.account import Account
from deploy.errors import DeployError

ROOT = Path(__file__).parents[1]
PRODUCTS_DOCKERFILE = Path(__file__).parent / "products.Dockerfile"
PRODUCTS_PATH = f"/srv/foyer/products/{products_files.NAME}"


@dataclass(frozen=True)
class Image:
    """An image that ECS can pull, and what it was built for; empty where that is not known."""

    uri: str
    architecture: str


@dataclass(frozen=True)
class ImageRequest:
    """What was asked for: an image that exists, the products' files, an architecture; each may be empty."""

    image: str
    products: Mapping[str, bytes]
    architecture: str


def provide(account: Account, stack_name: str, request: ImageRequest, poll_seconds: float) -> Image:
    """Return the image, after it was built and pushed if that was needed.

    Raises:
        DeployError: it does not exist, or could not be built or pushed.
    """
    if request.image and not request.products:
        return Image(request.image, _matching(registry.architectures(account, request.image), request))
    builder = builders.find()
    tag = _tag(request)
    repository = registry.ensure(account, stack_name, poll_seconds)
    image = f"{repository.uri}:{tag}"
    if registry.has_image(account, repository, tag):
        console.say(f"The image of {tag} is in the repository already.")
        return Image(image, _matching(registry.architectures(account, image), request))
    builder.login(repository.uri.partition("/")[0], *registry.credentials(account))
    _build(builder, image, request)
    architecture = builder.architecture(image)
    console.say(f"Pushing {image} ...")
    builder.push(image)
    return Image(image, architecture or request.architecture)


def _build(builder: builders.Builder, image: str, request: ImageRequest) -> None:
    platform = builders.PLATFORMS.get(request.architecture, "")
    base = request.image
    if not base:
        console.say(f"Building the image with {builder.program}; the first time takes some minutes ...")
        base = f"{image}-base" if request.products else image
        builder.build(base, ROOT, ROOT / "Dockerfile", platform)
    if request.products:
        console.say(f"Adding {console.listed(list(request.products))} to the image ...")
        with tempfile.TemporaryDirectory() as folder:
            products_files.write(request.products, Path(folder))
            builder.build(image, Path(folder), PRODUCTS_DOCKERFILE, platform, base=base)


def _matching(found: set[str], request: ImageRequest) -> str:
    """Return the architecture to run the image on."""
    if not found:
        return request.architecture
    if request.architecture and request.architecture not in found:
        built_for = console.listed(sorted(found))
        raise DeployError(
            f"The image is built for {built_for}, and would end at once on {request.architecture}.",
            f'Deploy it with PARAMETERS="Architecture={sorted(found)[0]}", or build it for {request.architecture}.',
        )
    return request.architecture or ("X86_64" if "X86_64" in found else sorted(found)[0])


def _tag(request: ImageRequest) -> str:
    """Return the tag: the commit, what it was built for, and digests of what the commit does not have."""
    parts = [hashlib.sha256(request.image.encode()).hexdigest()[:12] if request.image else _commit()]
    if request.architecture:
        parts.append(request.architecture.lower().replace("_", "-"))
    if request.products:
        parts.append(f"products-{products_files.digest(request.products)[:12]}")
    return "-".join(parts)


def _commit() -> str:
    now = f"{datetime.now(UTC):%Y%m%d%H%M%S}"
    commit = _git("rev-parse", "--short=12", "HEAD")
    if commit is None:
        console.say("This folder is no git repository, so the image is named after the time.")
        return now
    if _git("status", "--porcelain"):
        console.warn(f"There are changes that are not committed. The image is {commit}-dirty-{now}.")
        return f"{commit}-dirty-{now}"
    return commit


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(ROOT), *arguments],  # noqa: S607  # git of this machine
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return None if done.returncode else done.stdout.strip()
