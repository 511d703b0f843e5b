"""deploy/production.yaml on this machine: its tasks as processes, its load balancer, secrets, roles and database."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

from sandbox.server import Sandbox
from tests.support import certificates, database_tls, factories, handoff_receiver, templates
from tests.support.cloudformation_stack import AwsClients
from tests.support.handoff_receiver import HandoffReceiver
from tests.support.load_balancer import LoadBalancer, read_listeners
from tests.support.local_service import Service
from tests.support.local_tasks import ContainerDefinition, Surroundings, Task
from tests.support.postgresql_server import PostgresqlServer
from tests.support.recorded_aws import ACCOUNT, EXECUTION_ROLE, RecordedAws, arn_of
from tests.support.target_group import HealthCheck
from tests.support.template_values import TemplateValues

DOMAIN = "start.acme.example"
PARAMETERS = {
    "DomainName": DOMAIN,
    "ZoneId": "Z0123456789",
    "ProductCode": factories.PRODUCT_CODE,
    "ProductName": factories.PRODUCT_FIELDS["name"],
    "SignInUrl": factories.PRODUCT_FIELDS["sign_in_url"],
    "SupportEmail": factories.PRODUCT_FIELDS["support_email"],
    "MailFrom": "Acme <start@acme.example>",
    "MailIdentityArn": arn_of("ses", "identity/acme.example"),
}
SECRETS = ("Keys", "HandoffSecret", "DatabasePassword")
# A deployment waits for health checks, and on a busy machine for the start of Python.
DEPLOYMENT_SECONDS = 240


class StackSecrets:
    """The template's secrets, made in moto as it describes them, and read with the execution role."""

    def __init__(self, aws: RecordedAws, template: dict[str, Any]) -> None:
        self._admin, self._reader = AwsClients(aws.url), AwsClients(aws.url, EXECUTION_ROLE)
        self._client = self._admin.client("secretsmanager")
        self._reading = self._reader.client("secretsmanager")
        self.arns = {name: self._create(name, template["Resources"][name]["Properties"]) for name in SECRETS}

    def read(self, value_from: str) -> str:
        """Return the value that a container's `ValueFrom` names: a secret's, or that of one of its JSON keys."""
        # arn:aws:secretsmanager:region:account:secret:name, then :key:stage:version.
        parts = value_from.split(":")
        value = self._reading.get_secret_value(SecretId=":".join(parts[:7]))["SecretString"]
        return str(json.loads(value)[parts[7]] if len(parts) > 7 else value)

    def close(self) -> None:
        """Delete the secrets."""
        for arn in self.arns.values():
            self._client.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
        self._admin.close()
        self._reader.close()

    def _create(self, name: str, properties: dict[str, Any]) -> str:
        wanted = dict(properties["GenerateSecretString"])
        key, text = wanted.pop("GenerateStringKey", None), wanted.pop("SecretStringTemplate", "{}")
        generated = self._client.get_random_password(**wanted)["RandomPassword"]
        value = json.dumps({**json.loads(text), key: generated}) if key else generated
        return str(self._client.create_secret(Name=f"foyer-{name}", SecretString=value)["ARN"])


class Stack:
    """The stack with everything around it. `speed` is how many times faster health checks and drains pass.

    `parameters` are given beside PARAMETERS. `queue` is the name of the events' queue, if it is not the sandbox's.
    """

    def __init__(
        self,
        stack: ExitStack,
        folder: Path,
        sandbox: Sandbox,
        server: PostgresqlServer,
        speed: float,
        *,
        parameters: Mapping[str, str] | None = None,
        queue: str = "",
    ) -> None:
        self._folder, self._server = folder, server
        self._template = templates.load(templates.PRODUCTION)
        self._parameters = {**PARAMETERS, **(parameters or {})}
        self._queue = queue or sandbox.marketplace.queue.path.rpartition("/")[2]
        self.sandbox = sandbox
        self.images: dict[str, Path] = {}
        self.aws = stack.enter_context(RecordedAws(sandbox.marketplace))
        self.secrets = StackSecrets(self.aws, self._template)
        stack.callback(self.secrets.close)
        product = HandoffReceiver(secret=self.secrets.read(self.secrets.arns["HandoffSecret"]))
        self.product = stack.enter_context(handoff_receiver.serve(product))
        self.database_url = self._create_database()
        context, _ = certificates.self_signed(folder, "localhost")
        self._database_port = stack.enter_context(database_tls.serve(server.url, context))
        self.load_balancer = stack.enter_context(self._create_load_balancer(speed))
        self.web = stack.enter_context(self._service("WebService", self.load_balancer))
        self.worker = stack.enter_context(self._service("WorkerService", None))

    def deploy(self, image: str) -> bool:
        """Update the stack with the image; return whether it succeeded. The worker follows the web service."""
        for service, task in ((self.web, "WebTask"), (self.worker, "WorkerTask")):
            service.update(self.task_definition(task, image))
            if not service.wait_until_steady(DEPLOYMENT_SECONDS):
                return False
        return True

    def task_definition(self, name: str, image: str) -> list[ContainerDefinition]:
        """Return the containers of a task definition."""
        definition: list[ContainerDefinition] = self.values(image).properties(name)["ContainerDefinitions"]
        return definition

    def run_task(self, command: list[str], image: str) -> Task:
        """Run a command as a one-off task, as the output DoctorCommand does; return the ended task."""
        [worker] = self.task_definition("WorkerTask", image)
        task = Task([{**worker, "Command": command}], self.surroundings)
        task.start()
        task.wait_for_end()
        return task

    def values(self, image: str) -> TemplateValues:
        """Return the template's values with that image."""
        made = {
            **{name: name for name in self._template["Resources"]},
            **{f"{name}.Arn": f"arn:{name}" for name in self._template["Resources"]},
            **self.secrets.arns,
            "EventsQueue": f"{self.aws.url}/{ACCOUNT}/{self._queue}",
            "EventsQueue.Arn": arn_of("sqs", self._queue),
            "DeadLetterQueue.Arn": arn_of("sqs", f"{self._queue}-dead-letters"),
            "EventRule.Arn": arn_of("events", f"rule/{self._queue}"),
            "MailRule.Arn": arn_of("events", f"rule/{self._queue}-ses"),
            "Database.Endpoint.Address": "127.0.0.1",
            "Database.Endpoint.Port": str(self._database_port),
        }
        return TemplateValues(
            self._template, {"HandoffUrl": self.product.url, **self._parameters, "Image": image}, made
        )

    @cached_property
    def surroundings(self) -> Surroundings:
        """What tasks need beside their definitions."""
        differences = {
            "AWS_ENDPOINT_URL": self.aws.url,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": self.aws.credentials_url,
            "HANDOFF_ALLOW_PRIVATE": "true",
        }
        return Surroundings(self.images, self.secrets, self._folder, differences)

    def image_files(self) -> set[tuple[Path, float]]:
        """Return each file of the images, with the time of its last change."""
        files = (path for image in self.images.values() for path in image.rglob("*"))
        return {(path, path.lstat().st_mtime) for path in files if not path.is_dir()}

    @property
    def all_tasks(self) -> list[Task]:
        """Every task that a service has started."""
        return [*self.web.all_tasks, *self.worker.all_tasks]

    def _service(self, name: str, load_balancer: LoadBalancer | None) -> Service:
        targets = load_balancer.targets if load_balancer else None
        return Service(self.values("").properties(name), self.surroundings, targets)

    def _create_load_balancer(self, speed: float) -> LoadBalancer:
        values = self.values("")
        listeners = [values.properties(name) for name in ("Https", "RedirectToHttps")]
        check = HealthCheck.from_properties(values.properties("WebTargets"), speed)
        return LoadBalancer(read_listeners(listeners, [values.properties("HideMetrics")]), check)

    def _create_database(self) -> str:
        """Create the database and its owner, who needs the password of the secret."""
        password = self.secrets.read(f"{self.secrets.arns['DatabasePassword']}:password::")
        self._server.execute(f"CREATE ROLE foyer LOGIN PASSWORD '{password}'", "CREATE DATABASE foyer OWNER foyer")
        self._server.ask_for_passwords()
        return factories.replace_database_name(self._server.url, "foyer")
