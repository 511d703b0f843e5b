"""What becomes of events when the sandbox stops and starts again."""

from pathlib import Path

from sandbox.marketplace import Marketplace
from sandbox.purchases import Order
from sandbox.server import Sandbox
from tests.sandbox.conftest import CreateClient, QueueReader

ORDER = Order(product_code="insights1example", account_id="111122223333")
KEPT_BEFORE_EVENTS = """{
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


def test_what_was_in_the_queue_is_sent_again_after_a_restart_and_what_was_done_is_not(
    tmp_path: Path, create_client: CreateClient
) -> None:
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
        told = [event["detail"]["agreement"]["id"] for event in worker.receive()]

        assert told == [read.agreement_id, queued.agreement_id]
        assert [event.state for event in after.marketplace.events(done)] == ["done"]
        assert [event.state for event in after.marketplace.events(held)] == ["held"]


def test_a_dead_letter_stays_one_after_a_restart(tmp_path: Path, create_client: CreateClient) -> None:
    with Sandbox(state_path=tmp_path / "state.json") as before:
        worker = QueueReader(create_client("sqs", endpoint_url=before.aws_url), before.queue_url)
        before.marketplace.buy(ORDER)
        for _ in range(11):
            worker.receive(VisibilityTimeout=0)

    assert [event.state for event in Marketplace([], tmp_path / "state.json").events()] == ["dead_letter"]


def test_a_file_that_was_kept_before_there_were_events_is_read(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text(KEPT_BEFORE_EVENTS)
    world = Marketplace([], path)

    (event,) = world.apply_action(world.purchases[0], "confirm")

    assert event.body["detail"]["agreement"]["id"] == "agmt-4mwg1nevbokzw95eca5797ixs"
