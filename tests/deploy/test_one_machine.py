"""deploy/compose.yaml, the units of systemd and the Terraform module name only what exists."""

import configparser
import re
from typing import Any

import pytest
import yaml
from flask import Flask

from app import create_app
from app.cli import COMMANDS
from app.config import products
from app.config.settings import SETTINGS
from tests.support import factories, templates
from tests.support.databases import on_sqlite
from tests.support.templates import DEPLOY

COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
FOYER = {name: service for name, service in SERVICES.items() if service["image"] == "foyer"}
EXAMPLE = (DEPLOY / "foyer.env.example").read_text(encoding="utf-8")
# What others read: Caddy and Compose, botocore.
NO_SETTINGS = {"DOMAIN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
# What the reader fills in.
ANSWERS = {
    "DOMAIN": "start.juniper.example",
    "SECRET_KEY": "5b0f5c4a9e4e4d2f8f3c0d1e2a3b4c5d",
    "DATABASE_PASSWORD": "9d8c7b6a",
    "PRODUCT_CODE": "prodcode1234567890",
}
UNITS = {path.stem: path for path in (DEPLOY / "systemd").glob("*.service")}
GRACEFUL_SECONDS = 20


def example_variables() -> dict[str, str]:
    """Return the variables of foyer.env.example, those that are commented out included."""
    return dict(re.findall(r"^#?([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))


def unit(name: str) -> dict[str, str]:
    """Return what the unit says in its sections; a name that stands there twice would be an error."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # as configparser's page tells to
    parser.read_string(UNITS[name].read_text(encoding="utf-8"))
    return {key: value for section in parser.sections() for key, value in parser[section].items()}


def command_exists(program: str, *arguments: str) -> bool:
    """Whether the image and a clone's virtual environment have the program, and Foyer the command."""
    return program == "gunicorn" or (program == "foyer" and arguments[0] in COMMANDS)


def seconds(text: str) -> int:
    """Return a duration of whole seconds."""
    return int(text.removesuffix("s"))


@pytest.mark.parametrize("name", FOYER)
def test_compose_sets_only_settings_that_exist(name: str) -> None:
    assert {variable.lower() for variable in FOYER[name]["environment"]} <= SETTINGS.keys()
    assert FOYER[name]["env_file"] == "foyer.env"


def test_example_has_only_settings_that_exist_and_no_secret() -> None:
    variables = example_variables()

    assert {name.lower() for name in variables.keys() - NO_SETTINGS} <= SETTINGS.keys()
    assert not any(value for name, value in variables.items() if re.search("SECRET|PASSWORD|KEY", name))


def test_example_has_every_variable_that_compose_reads() -> None:
    read = set(re.findall(r"\$\{([A-Z_]+)", (DEPLOY / "compose.yaml").read_text(encoding="utf-8")))

    assert read <= set(re.findall(r"^([A-Z_]+)=", EXAMPLE, re.MULTILINE))


@on_sqlite
def test_foyer_starts_with_the_filled_in_example(environment: pytest.MonkeyPatch) -> None:
    factories.clear_environment(environment)
    variables = {name: ANSWERS.get(name, value) for name, value in re.findall(r"(?m)^([A-Z_]+)=(.*)$", EXAMPLE)}
    for name, value in (variables | FOYER["web"]["environment"]).items():
        environment.setenv(name, value.replace("${DOMAIN}", variables["DOMAIN"]))

    app = create_app()

    assert app.config["SITE_URL"] == "https://start.juniper.example"
    with app.app_context():
        assert [product.name for product in products.current().values()] == ["Acme Insights"]


def test_compose_services_wait_only_for_what_can_happen() -> None:
    conditions = [
        (SERVICES[needed], wait["condition"])
        for service in FOYER.values()
        for needed, wait in service["depends_on"].items()
    ]

    assert conditions
    for needed, condition in conditions:
        if condition == "service_healthy":
            assert "test" in needed["healthcheck"]
        else:
            assert (condition, needed["restart"]) == ("service_completed_successfully", "no")


def test_compose_commands_exist_and_only_one_service_builds() -> None:
    assert all(command_exists(*service["command"]) for service in FOYER.values())
    assert [name for name, service in SERVICES.items() if "build" in service] == ["migrate"]
    assert FOYER["migrate"]["command"] == ["foyer", "db", "upgrade"]
    assert (DEPLOY / FOYER["migrate"]["build"] / "Dockerfile").exists()


def test_compose_publishes_caddys_ports_alone_and_keeps_data_in_volumes() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["caddy"]
    mounted = {volume.split(":")[0] for name in ("caddy", "database") for volume in SERVICES[name]["volumes"]}
    assert mounted == {"./Caddyfile", *COMPOSE["volumes"]}


@on_sqlite
def test_port_and_health_path_are_the_same_everywhere(app: Flask) -> None:
    dockerfile = (DEPLOY.parent / "Dockerfile").read_text(encoding="utf-8")
    [port] = re.findall(r"^EXPOSE (\d+)$", dockerfile, re.MULTILINE)
    [checked] = re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)'", " ".join(SERVICES["web"]["healthcheck"]["test"]))

    assert checked == (port, "/readyz")
    assert "/readyz" in {rule.rule for rule in app.url_map.iter_rules()}
    assert SERVICES["web"]["command"] == ["gunicorn", "--bind", f"0.0.0.0:{port}"]
    assert f"web:{port}}}" in (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
    assert unit("foyer-web")["ExecStart"].endswith(f"gunicorn --bind 127.0.0.1:{port}")


@pytest.mark.parametrize("name", FOYER)
def test_container_is_read_only_and_has_time_to_finish(name: str) -> None:
    service = FOYER[name]

    assert (service["read_only"], service["tmpfs"], service["cap_drop"]) == (True, ["/tmp"], ["ALL"])  # noqa: S108
    assert seconds(service["stop_grace_period"]) > GRACEFUL_SECONDS * 3


def test_no_container_fills_the_disk_with_its_log() -> None:
    assert all(service["logging"]["options"].keys() == {"max-size", "max-file"} for service in SERVICES.values())


@pytest.mark.parametrize("name", UNITS)
def test_unit_starts_a_command_that_exists_and_lets_it_finish(name: str) -> None:
    settings = unit(name)

    for key in {"ExecStartPre", "ExecStart"} & settings.keys():
        program, *arguments = settings[key].split()
        folder, program = program.rsplit("/", 1)
        assert folder == "/srv/foyer/.venv/bin"
        assert command_exists(program, *arguments)
    assert seconds(settings["TimeoutStopSec"]) > GRACEFUL_SECONDS * 3
    assert settings["StartLimitIntervalSec"] == "0"


def test_both_units_have_the_same_rights() -> None:
    own = {"Description", "After", "Type", "ExecStartPre", "ExecStart", "TimeoutStartSec", "KillMode"}
    web, worker = unit("foyer-web"), unit("foyer-worker")

    assert {key: web[key] for key in web.keys() - own} == {key: worker[key] for key in worker.keys() - own}


def test_terraform_module_names_what_the_template_has() -> None:
    module = DEPLOY / "terraform" / "main.tf"
    text = module.read_text(encoding="utf-8")
    template = templates.load(templates.PRODUCTION)

    [path] = re.findall(r'file\("\$\{path\.module\}/(.+?)"\)', text)
    assert (module.parent / path).resolve() == templates.PRODUCTION
    assert set(re.findall(r"\{ (\w+) = ", text)) <= template["Parameters"].keys()
    [parameters] = re.findall(r"parameters of production\.yaml by name: (.+?) and so on", text)
    assert set(parameters.split(", ")) <= template["Parameters"].keys()
    [outputs] = re.findall(r"stack's outputs: (.+?) and so on", text)
    assert set(outputs.split(", ")) <= template["Outputs"].keys()
    assert set(re.findall(r"CAPABILITY_\w+", text)) == {"CAPABILITY_IAM"}
    assert not any("RoleName" in made.get("Properties", {}) for made in template["Resources"].values())
