"""What happens next with an hour or an item of usage, in one sentence, and the operator's part in it."""

from datetime import datetime, timedelta

from app.database.rows import RowDict
from app.models.usage import PENDING_STATES

# A worker does what is due within seconds.
MAX_OVERDUE = timedelta(minutes=5)
HELD = (
    "It is held: no hour bills it until you decide. Bill it in the current hour, or write it off: "
    "foyer usage settle {id} --next-hour, or --write-off"
)
NEXT = {
    "open": "It takes items until {due}. Then it is frozen and sent.",
    "frozen": "A worker sends it at {due}. AWS takes it until {deadline}.",
    "sent": "A call is under way, or its answer was never read. The same is sent again at {due}, until {deadline}.",
    "billed": "Nothing: AWS has billed it.",
    "conflict": (
        "AWS has another quantity for this hour, and not from Foyer. Find out in CloudTrail what else calls "
        "BatchMeterUsage, stop it, and write this hour off: foyer usage settle {id} --write-off"
    ),
    "refused": (
        "AWS does not bill it ({code}). Mend the cause, send the usage again as new items with new ids, and write this "
        "hour off: foyer usage settle {id} --write-off"
    ),
    "expired": (
        "AWS takes it no more ({code}). Send the usage again as new items with new ids and a time of now, and write "
        "this hour off: foyer usage settle {id} --write-off"
    ),
    "written-off": "Nothing: it was written off at {settled}, and is not billed.",
}
# While AWS takes it.
REFUSED_IN_TIME = (
    "AWS refused it ({code}), and has not billed it. Mend the cause and, unless its usage was sent again as new items, "
    "send it once more until {deadline}: foyer usage settle {id} --send-again"
)
OVERDUE = " That is over, so look whether a worker runs: foyer status"


def of_hour(hour: RowDict, deadline: datetime, now: datetime) -> str:
    """Return what happens next with an hour of usage that AWS takes until the deadline."""
    is_in_time = hour["state"] == "refused" and now < deadline
    sentence = (REFUSED_IN_TIME if is_in_time else NEXT[hour["state"]]).format(
        id=hour["id"],
        code=hour["code"] or "no reason given",
        due=_time(hour["due_at"]),
        deadline=_time(deadline),
        settled=_time(hour["settled_at"]),
    )
    is_overdue = hour["state"] in PENDING_STATES and hour["due_at"] and hour["due_at"] + MAX_OVERDUE < now
    return sentence + OVERDUE if is_overdue else sentence


def of_item(item: RowDict) -> str:
    """Return what happens next with an item."""
    if item["written_off_at"]:
        return f"Nothing: it was written off at {_time(item['written_off_at'])}, and is not billed."
    if item["hour_id"] is None:
        return HELD.format(id=item["item_id"])
    return f"It is a part of the hour {item['hour']:%Y-%m-%dT%H:%MZ}: foyer usage show {item['hour_id']}"


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "a time that is not set"
