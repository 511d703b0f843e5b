"""Events across a restart of the sandbox: unfinished ones are queued again."""

from pathlib import Path

from sandbox.marketplace import Marketplace
from sandbox.purchases import Order
from sandbox.server import Sandbox
from tests.sandbox.conftest import CreateClient, QueueReader

ORDER = Order(product_code="insights1example", account_id="111122223333")
STATE_WITHOUT_EVENTS = """{
  "token_key": "00",
  "buyers": [],
  "purchases": [
    {
      "id": "6f1d3c58-9d53-4f0e-9f43-0c3f4a7a1f11",
      "product_code": "insights1example",
      "product_name": "Acme Insights",
      "account_id": "044455556666",
      "account_name": "Quillfeather Press",
      "style": "new",
      "free_trial": false,
      "bought_at": "2026-11-01T09:00:00Z",
      "agreement_id": "agmt-4mwg1nevbokzw95eca5797ixs",
      "license_arn": "arn:aws:license-manager::123456789012:license:l-0123456789abcdef",
      "customer_identifier": null
    }
  ]
}"""


def test_restart_requeues_only_unfinished_events(tmp_path: Path, create_client: CreateClient) -> None:
    with Sandbox(state_path=tmp_path / "state.json") as before:
        worker = QueueReader(create_client("sqs", endpoint_url=before.aws_url), before.queue_url)
        done, read, queued, held = (
            before.marketplace.buy(ORDER.model_copy(update={"delivery": delivery}))
            for delivery in ("now", "now", "now", "late")
        )
        worker.receive(MaxNumberOfMessages=1)
        worker.delete_received()
        worker.receive(MaxNumberOfMessages=1)

    with Sandbox(state_path=tmp_path / "state.json") as after:
        worker = QueueReader(create_client("sqs", endpoint_url=after.aws_url), after.queue_url)
        agreement_ids = [event["detail"]["agreement"]["id"] for event in worker.receive()]

        assert agreement_ids == [read.agreement_id, queued.agreement_id]
        assert [event.state for event in after.marketplace.events(done)] == ["done"]
        assert [event.state for event in after.marketplace.events(held)] == ["held"]


def test_dead_letter_survives_a_restart(tmp_path: Path, create_client: CreateClient) -> None:
    with Sandbox(state_path=tmp_path / "state.json") as before:
        worker = QueueReader(create_client("sqs", endpoint_url=before.aws_url), before.queue_url)
        before.marketplace.buy(ORDER)
        for _ in range(11):
            worker.receive(VisibilityTimeout=0)

    assert [event.state for event in Marketplace([], tmp_path / "state.json").events()] == ["dead_letter"]


def test_state_file_without_events_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text(STATE_WITHOUT_EVENTS)
    marketplace = Marketplace([], path)

    (event,) = marketplace.apply_action(marketplace.purchases[0], "confirm")

    assert event.body["detail"]["agreement"]["id"] == "agmt-4mwg1nevbokzw95eca5797ixs"
