"""What the tasks wrote: their streams in the stack's log group."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from deploy.account import Account


class LogStream:
    """One container's lines, in order; each line is given once."""

    def __init__(self, account: Account, group: str, container: str, task_arn: str) -> None:
        self._client = account.client("logs")
        # The prefixes of the template's log configurations are the containers' names.
        stream = f"{container}/{container}/{task_arn.rpartition('/')[2]}"
        self._place = {"logGroupName": group, "logStreamName": stream}
        self._position: dict[str, Any] = {}

    def new_lines(self) -> Iterator[str]:
        """Yield the lines that were written since the last call; none while there is no such stream."""
        while True:
            try:
                page = self._client.get_log_events(**self._place, startFromHead=True, **self._position)
            except ClientError as error:
                if error.response["Error"]["Code"] == "ResourceNotFoundException":
                    return
                raise
            for event in page["events"]:
                yield str(event["message"])
            position = {"nextToken": page["nextForwardToken"]}
            # CloudWatch gives the same token again at the end.
            if position == self._position or not page["events"]:
                return
            self._position = position

    def last_lines(self, count: int) -> list[str]:
        """Return the last lines."""
        return list(self.new_lines())[-count:]
