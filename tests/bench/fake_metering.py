"""A fake BatchMeterUsage that bills every record and costs little: `python -m tests.bench.fake_metering`.

It prints its port, and serves until its process ends.
"""

import asyncio
import json

from tests.support import aws_http_server


def batch_meter_usage(_head: bytes, request: bytes) -> tuple[float, bytes]:
    """Return no delay, and the response's body."""
    records = json.loads(request)["UsageRecords"]
    results = [{"UsageRecord": record, "MeteringRecordId": "bench", "Status": "Success"} for record in records]
    return 0, json.dumps({"Results": results, "UnprocessedRecords": []}).encode()


if __name__ == "__main__":
    asyncio.run(aws_http_server.serve_forever(batch_meter_usage))
