"""A contestant that uses dlt's REST source and filesystem destination as documented.

It runs in its own environment (`bench/requirements.txt`), so it imports nothing from this
repository: `python bench/dlt_contestant.py JOB`.
"""

import json
import resource
import sys
import tempfile
import time
from typing import Any

import dlt
from dlt.destinations import filesystem
from dlt.extract import DltSource
from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator
from dlt.sources.rest_api import rest_api_source


def activities(job: dict[str, Any]) -> DltSource:
    """Return the source of a job's history."""
    return rest_api_source(
        {
            "client": {"base_url": f"{job['url']}/api/v1/"},
            "resources": [
                {
                    "name": "activities",
                    "max_table_nesting": 0,
                    "endpoint": {
                        "path": "activities/",
                        "method": "POST",
                        "json": {
                            "filters": {"date": {"gte": job["begin"], "lte": job["end"] - 1}},
                            "isScan": True,
                            "limit": job["limit"],
                            "sortField": "date",
                            "sortDirection": "asc",
                        },
                        "data_selector": "data",
                        "paginator": JSONResponseCursorPaginator(
                            cursor_path="nextQueryFilters", cursor_body_path="filters"
                        ),
                    },
                }
            ],
        }
    )


def main() -> None:
    """Collect the job's history, and print the measurements as one line of JSON."""
    job = json.loads(sys.argv[1])
    source = activities(job)
    with tempfile.TemporaryDirectory(prefix="dlt-") as folder:
        pipeline = dlt.pipeline(
            pipeline_name="bench",
            pipelines_dir=folder,
            dataset_name="activities",
            destination=filesystem(bucket_url=f"file://{folder}/lake"),
        )
        wall, cpu = time.perf_counter(), time.process_time()
        pipeline.run(source, loader_file_format="jsonl")
        seconds, cpu = time.perf_counter() - wall, time.process_time() - cpu
        records = pipeline.last_trace.last_normalize_info.row_counts["activities"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said = {"records": records, "requests": -(-records // job["limit"]), "operations": 0}
    print(json.dumps({**said, "seconds": seconds, "cpu": cpu, "parts": {}, "peak_kb": peak}))


if __name__ == "__main__":
    main()
