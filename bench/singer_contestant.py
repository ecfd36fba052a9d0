"""A contestant that is a Singer tap, written with the SDK of Meltano as documented.

Its Singer messages go straight into a file. A target would read, check and write them again, so
this is to the tap's advantage. It runs in its own environment (`bench/requirements.txt`), so it
imports nothing from this repository: `python bench/singer_contestant.py JOB`.
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import requests
from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.pagination import BaseAPIPaginator


class Continuation(BaseAPIPaginator[dict[str, Any] | None]):
    """Follows `nextQueryFilters`."""

    def get_next(self, response: requests.Response) -> dict[str, Any] | None:
        """Return the filters of the next query; None after the last page."""
        content = response.json()
        return content["nextQueryFilters"] if content["hasNext"] else None


class Activities(RESTStream[dict[str, Any] | None]):
    """The activities, each as one object, because their fields differ."""

    name = "activities"
    path = "/api/v1/activities/"
    http_method = "POST"
    records_jsonpath = "$.data[*]"
    primary_keys = ("_id",)
    schema = th.PropertiesList(
        th.Property("_id", th.StringType, required=True),
        th.Property("timestamp", th.IntegerType),
        th.Property("activity", th.ObjectType(additional_properties=True)),
    ).to_dict()

    @property
    def url_base(self) -> str:
        """Return the address of the API."""
        return str(self.config["url"])

    def get_new_paginator(self) -> Continuation:
        """Begin before the first page."""
        return Continuation(None)

    def prepare_request_payload(
        self,
        context: Any,  # noqa: ARG002 - the SDK passes it
        next_page_token: dict[str, Any] | None,
    ) -> dict[str, Any]:
        """Return the query."""
        dates = {"gte": self.config["begin"], "lte": self.config["end"] - 1}
        return {
            "filters": next_page_token or {"date": dates},
            "isScan": True,
            "limit": self.config["limit"],
            "sortField": "date",
            "sortDirection": "asc",
        }

    def post_process(
        self,
        row: dict[str, Any],
        context: Any = None,  # noqa: ARG002 - the SDK passes it
    ) -> dict[str, Any]:
        """Keep the whole activity beside what identifies it."""
        return {"_id": row["_id"], "timestamp": row["timestamp"], "activity": row}


class TapActivities(Tap):
    """The tap."""

    name = "tap-activities"
    config_jsonschema = th.PropertiesList(
        th.Property("url", th.StringType, required=True),
        th.Property("begin", th.IntegerType, required=True),
        th.Property("end", th.IntegerType, required=True),
        th.Property("limit", th.IntegerType, required=True),
    ).to_dict()

    def discover_streams(self) -> Iterable[Activities]:
        """Return the only stream."""
        return [Activities(self)]


def main() -> None:
    """Collect the job's history, and print the measurements as one line of JSON."""
    job = json.loads(sys.argv[1])
    config = {name: job[name] for name in ("url", "begin", "end", "limit")}
    with tempfile.TemporaryDirectory(prefix="singer-") as folder:
        messages = Path(folder, "activities.singer")
        wall, cpu = time.perf_counter(), time.process_time()
        with messages.open("w") as lines, redirect_stdout(lines):
            TapActivities(config=config).sync_all()
        seconds, cpu = time.perf_counter() - wall, time.process_time() - cpu
        with messages.open() as lines:
            records = sum(json.loads(line)["type"] == "RECORD" for line in lines)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said = {"records": records, "requests": -(-records // job["limit"]), "operations": 0}
    print(json.dumps({**said, "seconds": seconds, "cpu": cpu, "parts": {}, "peak_kb": peak}))


if __name__ == "__main__":
    main()
