"""make deploy without IMAGE=: the image is built and pushed, and run on what it is built for."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy import products_files
from tests.support import fake_docker
from tests.support.deploy_tool import IMAGE, OUTPUTS, SellerAccount
from tests.support.fake_cloudformation import Plan
from tests.support.pictures import LOGO_SVG

ROOT = Path(__file__).parents[2]
URI = "123456789012.dkr.ecr.us-east-1.amazonaws.com/foyer-image"
REPOSITORY = {"RepositoryUri": URI, "RepositoryName": "foyer-image"}
PRODUCT = '[products.prodcode1]\nname = "Acme"\nsign_in_url = "https://a.example"\nsupport_email = "h@acme.example"\n'
ECR_IMAGE = f"{URI}:1"
LOGO = LOGO_SVG.decode()


@pytest.fixture
def bin_folder(seller: SellerAccount) -> Path:
    """The folder where programs are looked for, with git alone."""
    folder = Path(seller.environment["PATH"])
    folder.mkdir()
    git = shutil.which("git")
    assert git
    (folder / "git").symlink_to(git)
    return folder


@pytest.fixture
def ecr(seller: SellerAccount) -> None:
    """An empty registry, and CloudFormation that makes the repository and then the main stack."""
    seller.cloudformation.plans += [Plan([], outputs=dict(REPOSITORY)), Plan([], outputs=dict(OUTPUTS))]
    seller.aws.fail("ecr.DescribeImages", "ImageNotFoundException", "no image")
    seller.aws.give("ecr.GetAuthorizationToken", authorizationData=[{"authorizationToken": "QVdTOnNlY3JldA=="}])


def tag_of_commit() -> str:
    """Return the tag that an image of this commit has, or its beginning where files are not committed."""
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"], stdout=subprocess.PIPE, text=True, check=True
    )
    return commit.stdout.strip()


@pytest.mark.usefixtures("ecr")
@pytest.mark.parametrize("program", ["docker", "podman", "finch", "buildah"])
def test_image_is_built_and_pushed_with_what_is_installed(
    seller: SellerAccount, bin_folder: Path, program: str
) -> None:
    docker = fake_docker.install(bin_folder, program)

    answer = seller.deploy(YES="1", IMAGE="")

    assert answer.status == 0, answer.output
    assert docker.commands[:2] == ["login", "build"]
    assert docker.commands[-1] == "push"
    assert docker.calls[0]["typed"] == "secret"
    assert "secret" not in str([call["arguments"] for call in docker.calls])
    parameters = seller.cloudformation.executed[1].parameters
    assert re.fullmatch(rf"{re.escape(URI)}:{tag_of_commit()}(-dirty-\d{{14}})?", parameters["Image"])
    assert parameters["Architecture"] == "ARM64"


@pytest.mark.usefixtures("ecr")
def test_repository_has_a_stack_of_its_own(seller: SellerAccount, bin_folder: Path) -> None:
    fake_docker.install(bin_folder)

    seller.deploy(YES="1", IMAGE="")

    assert [executed.stack.name for executed in seller.cloudformation.executed] == ["foyer-image", "foyer"]


def test_image_of_the_commit_that_is_there_is_not_built_again(seller: SellerAccount, bin_folder: Path) -> None:
    docker = fake_docker.install(bin_folder)
    seller.cloudformation.add("foyer-image", "CREATE_COMPLETE", outputs=dict(REPOSITORY))
    seller.cloudformation.plans.append(Plan([], outputs=dict(OUTPUTS)))
    seller.aws.give("ecr.DescribeImages", imageDetails=[{}])
    seller.aws.give("ecr.BatchGetImage", images=[{"imageManifest": index("amd64", "arm64")}])

    answer = seller.deploy(YES="1", IMAGE="")

    assert answer.status == 0, answer.output
    assert "is in the repository already" in answer.words
    assert docker.commands == []


@pytest.mark.usefixtures("ecr")
def test_architecture_that_is_asked_for_is_built(seller: SellerAccount, bin_folder: Path) -> None:
    docker = fake_docker.install(bin_folder, architecture="amd64")
    seller.cloudformation.add("foyer", "CREATE_COMPLETE", parameters={"DomainName": "a.example", "ProductCode": "c"})

    seller.run("deploy", YES="1", PARAMETERS="Architecture=X86_64 CertificateArn=arn:x")

    assert "--platform linux/amd64" in " ".join(docker.calls[1]["arguments"])  # type: ignore[arg-type]
    assert seller.cloudformation.executed[1].parameters["Image"].endswith("-x86-64")


@pytest.mark.usefixtures("ecr")
def test_products_file_goes_into_an_image_derived_from_it(
    seller: SellerAccount, bin_folder: Path, tmp_path: Path
) -> None:
    docker = fake_docker.install(bin_folder)
    (tmp_path / "acme.toml").write_text(PRODUCT, encoding="utf-8")

    answer = seller.deploy(YES="1", IMAGE="", PRODUCTS_FILE=str(tmp_path / "acme.toml"))

    assert answer.status == 0, answer.output
    first, second = (call for call in docker.calls if call["arguments"][0] == "build")  # type: ignore[index]
    base = first["arguments"][first["arguments"].index("--tag") + 1]  # type: ignore[index, attr-defined]
    assert f"BASE={base}" in second["arguments"]  # type: ignore[operator]
    assert second["files"] == {"products.toml": PRODUCT}
    parameters = seller.cloudformation.executed[1].parameters
    assert parameters["ProductsFile"] == "/srv/foyer/products/products.toml"
    assert parameters["ProductCode"] == ""
    assert re.search(r"-products-[0-9a-f]{12}$", parameters["Image"])


@pytest.mark.usefixtures("ecr")
def test_pictures_of_brands_go_into_the_image_with_their_folders(
    seller: SellerAccount, bin_folder: Path, tmp_path: Path
) -> None:
    docker = fake_docker.install(bin_folder)
    products = f'{PRODUCT}[products.prodcode1.brand]\nlogo = "acme/logo.svg"\nicon = "icon.svg"\n'
    (tmp_path / "acme").mkdir()
    files = {"acme.toml": products, "acme/logo.svg": LOGO, "icon.svg": LOGO, "other.svg": LOGO}
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")

    answer = seller.deploy(YES="1", IMAGE="", PRODUCTS_FILE=str(tmp_path / "acme.toml"))

    assert answer.status == 0, answer.output
    assert docker.calls[2]["files"] == {"products.toml": products, "acme/logo.svg": LOGO, "icon.svg": LOGO}


@pytest.mark.usefixtures("ecr")
def test_file_that_is_edited_during_the_build_is_as_its_tag_says(
    seller: SellerAccount, bin_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "acme.toml"
    docker = fake_docker.install(bin_folder, edited=path)
    path.write_text(PRODUCT, encoding="utf-8")

    answer = seller.deploy(YES="1", IMAGE="", PRODUCTS_FILE=str(path))

    assert answer.status == 0, answer.output
    assert path.read_text(encoding="utf-8") != PRODUCT
    assert docker.calls[2]["files"] == {"products.toml": PRODUCT}
    digest = products_files.digest({"products.toml": PRODUCT.encode()})
    assert seller.cloudformation.executed[1].parameters["Image"].endswith(f"-products-{digest[:12]}")


@pytest.mark.usefixtures("ecr")
def test_failed_build_shows_its_last_lines(seller: SellerAccount, bin_folder: Path) -> None:
    fake_docker.install(bin_folder, failing="build", words="failed to solve: no space left on device")

    answer = seller.deploy(YES="1", IMAGE="")

    assert answer.status == 1
    assert "docker build failed" in answer.words
    assert "The disk is full" in answer.words
    assert "  failed to solve: no space left on device" in answer.output
    assert len(seller.cloudformation.executed) == 1


@pytest.mark.usefixtures("ecr")
def test_daemon_that_does_not_run_is_explained(seller: SellerAccount, bin_folder: Path) -> None:
    fake_docker.install(bin_folder, failing="login", words="Cannot connect to the Docker daemon. Is it running?")

    assert "Its daemon does not run" in seller.deploy(YES="1", IMAGE="").words


def test_machine_without_a_builder_reads_what_to_install(seller: SellerAccount) -> None:
    answer = seller.deploy(YES="1", IMAGE="")

    assert answer.status == 1
    assert "There is no docker, podman, finch or buildah here" in answer.words
    assert "IMAGE=..." in answer.words


def test_repository_that_cannot_be_made_is_explained(seller: SellerAccount, bin_folder: Path) -> None:
    fake_docker.install(bin_folder)
    seller.cloudformation.plans.append(Plan([], "ROLLBACK_COMPLETE"))

    answer = seller.deploy(YES="1", IMAGE="")

    assert answer.status == 1
    assert "stack foyer-image is ROLLBACK_COMPLETE" in answer.words


def index(*architectures: str) -> str:
    """Return the manifest of an image for several architectures."""
    return json.dumps({"manifests": [{"platform": {"architecture": name}} for name in architectures]})


@pytest.mark.parametrize(("built_for", "chosen"), [(["arm64"], "ARM64"), (["arm64", "amd64", "unknown"], "X86_64")])
def test_given_image_runs_on_what_it_is_built_for(seller: SellerAccount, built_for: list[str], chosen: str) -> None:
    seller.aws.give("ecr.BatchGetImage", images=[{"imageManifest": index(*built_for)}])

    seller.deploy(YES="1", IMAGE=ECR_IMAGE)

    assert seller.cloudformation.executed[0].parameters["Architecture"] == chosen


def test_single_manifest_is_looked_into(seller: SellerAccount, tmp_path: Path) -> None:
    manifest = json.dumps({"config": {"digest": "sha256:1"}})
    seller.aws.give("ecr.BatchGetImage", images=[{"imageManifest": manifest}])
    seller.aws.give("ecr.GetDownloadUrlForLayer", downloadUrl=f"{seller.aws.url}/config")
    seller.aws.pages["/config"] = json.dumps({"architecture": "arm64"})

    seller.deploy(YES="1", IMAGE=ECR_IMAGE)

    assert seller.cloudformation.executed[0].parameters["Architecture"] == "ARM64"


def test_image_of_the_wrong_architecture_is_refused(seller: SellerAccount) -> None:
    seller.aws.give("ecr.BatchGetImage", images=[{"imageManifest": index("arm64")}])

    answer = seller.run(
        "deploy",
        YES="1",
        DOMAIN="a.example",
        PRODUCT_CODE="c",
        IMAGE=ECR_IMAGE,
        PARAMETERS="CertificateArn=arn:x QueueName=acme-events Architecture=X86_64",
    )

    assert answer.status == 1
    assert "The image is built for ARM64, and would end at once on X86_64" in answer.words
    assert seller.cloudformation.executed == []


def test_image_that_does_not_exist_is_refused(seller: SellerAccount) -> None:
    seller.aws.give("ecr.BatchGetImage", images=[], failures=[])

    assert f"There is no image {ECR_IMAGE}" in seller.deploy(YES="1", IMAGE=ECR_IMAGE).words


def test_image_of_another_registry_is_taken_as_it_is(seller: SellerAccount) -> None:
    seller.deploy(YES="1", IMAGE=IMAGE)

    parameters = seller.cloudformation.executed[0].parameters
    assert parameters["Image"] == IMAGE
    assert "Architecture" not in parameters
