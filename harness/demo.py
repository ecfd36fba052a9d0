"""Shows the function at work, from empty storage to a proof of completeness: `make demo`.

Azurite and the simulated API listen on free loopback ports, and the function runs in the worker's
real library. Each is a separate process, as in Azure.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Any

from harness.azurite import Azurite, azurite
from harness.feed import Feed
from harness.functions_host import ROOT, Running, start

FUNCTION = "scan_activities"
RUNS_MOST = 30
POLL_SECONDS = 0.2
SETTLED_MS = 16 * 60_000
"""The history ends this long ago, so that all of it has settled."""
HISTORY_SECONDS = 8_000
"""How long the history is: more than two hours, so that a whole hour is in it, which is a slice."""
HISTORY_PAGES = 24
"""Pages that hold the history, so that a whole hour has eleven.

At half a second each, no machine reads an hour within the time budget of five seconds, however
fast it is: some run always has to go on in the middle of a slice.
"""

TOLD_TO_STOP = Event()
"""Set by Control-C and SIGTERM, and checked wherever the demo waits."""

Identity = tuple[str, int, int]


class DemoError(Exception):
    """The demo did not show what it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The simulated API in its process.

    Attributes:
        url: its address.
        identity_endpoint: where it issues tokens, as Azure does for a managed identity.
        identity_header: the secret that the endpoint requires.
        truth: every activity that it holds.
    """

    url: str
    identity_endpoint: str
    identity_header: str
    truth: frozenset[Identity]

    def requests(self) -> list[dict[str, Any]]:
        """Return all requests so far."""
        with urllib.request.urlopen(f"{self.url}/simulator/requests") as answer:  # noqa: S310 - loopback
            return [json.loads(line) for line in answer]


def main() -> int:
    """Run the demo, and return 0 if the proof holds."""
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: TOLD_TO_STOP.set())
    try:
        _demonstrate(options.activities)
    except (DemoError, OSError) as error:
        # The terminal also stops the other processes, whose failures are then expected.
        said = "stopped" if TOLD_TO_STOP.is_set() else f"The demonstration failed: {error}"
        _say(f"\n{said}")
        return 1
    return 0


def _demonstrate(activities: int) -> None:
    with azurite() as storage, _api(activities) as api:
        _say(f"The simulated API holds {len(api.truth):,} activities of the last three hours.")
        feed = Feed(storage.connection_string)
        _show(feed, api, _run_until_idle(_settings(api, storage), feed, api))
        _keep_page(feed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--activities", type=int, default=12_000, help="default: %(default)s")
    return parser.parse_args()


@contextmanager
def _api(activities: int) -> Iterator[Api]:
    """Start the simulator with a history that has settled."""
    until = int(time.time() * 1000) - SETTLED_MS
    with tempfile.TemporaryDirectory(prefix="activity-scan-") as folder:
        truth = Path(folder) / "truth.jsonl"
        command = [sys.executable, "-m", "simulator", "--identity", "--truth", str(truth)]
        command += ["--count", str(activities), "--until", str(until), "--throttle", "none"]
        command += ["--per-second", str(activities / HISTORY_SECONDS), "--latency", "0.5"]
        command += ["--page-cap", str(max(1, activities // HISTORY_PAGES))]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            yield _started(process, truth)
        finally:
            process.terminate()
            process.wait()


def _started(process: subprocess.Popen[str], truth: Path) -> Api:
    said = process.stdout.readline() if process.stdout else ""
    if not said:
        raise DemoError(f"the simulator ended with code {process.wait()}")
    started = json.loads(said)
    return Api(
        url=started["url"],
        identity_endpoint=started["identity_endpoint"],
        identity_header=started["identity_header"],
        truth=frozenset(_identity(json.loads(line)) for line in truth.open(encoding="utf-8")),
    )


def _settings(api: Api, storage: Azurite) -> dict[str, str]:
    """Return the app's settings, with a time budget so small that slices take several runs."""
    return {
        "IDENTITY_ENDPOINT": api.identity_endpoint,
        "IDENTITY_HEADER": api.identity_header,
        "MDA_API_URL": api.url,
        "MDA_ALLOW_ANY_HOST": "true",
        "STORAGE_CONNECTION_STRING": storage.connection_string,
        "SCAN_SCHEDULE": "0 */5 * * * *",
        "SCAN_LOOKBACK": "3h",
        "SCAN_FRESH": "30m",
        "SCAN_TIME_BUDGET": "5s",
        "SCAN_CONCURRENCY": "1",
        "SCAN_REQUESTS_PER_MINUTE": "1000",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One invocation of the function.

    Attributes:
        report: its report line.
        left: the slices that it left open with a continuation.
        filters: the filters of its requests, in order.
    """

    report: dict[str, Any]
    left: tuple[dict[str, Any], ...]
    filters: tuple[dict[str, Any], ...]

    def resumes(self, piece: dict[str, Any]) -> bool:
        """Say whether its first request about a slice sent the continuation that was saved.

        Fresh time may be served before, since it may have fallen due between two runs.
        """
        saved: dict[str, Any] = json.loads(piece["continuation"])
        within = range(piece["start"], piece["end"])
        about = (it for it in self.filters if it["date"]["gte"] in within)
        return next(about, None) == saved


def _run_until_idle(settings: dict[str, str], feed: Feed, api: Api) -> list[Run]:
    """Invoke the function as its timer would, but without the five minutes in between."""
    runs: list[Run] = []
    while len(runs) < RUNS_MOST:
        _say(f"\nrun {len(runs) + 1} ", end="")
        run = _run_once(settings, feed, api)
        runs.append(run)
        _say(_told(run))
        if run.report["outcome"] == "idle":
            return runs
    raise DemoError(f"after {RUNS_MOST} runs there was still something due")


def _run_once(settings: dict[str, str], feed: Feed, api: Api) -> Run:
    before = len(api.requests())
    running = start(ROOT, settings, FUNCTION)
    try:
        _follow(running, api, before)
        ended = running.result()
    finally:
        running.kill()
    if not ended.success:
        raise DemoError(f"the function failed: {ended.exception}")
    lines = [it.message for it in ended.logs if it.category == "activity_scan"]
    return Run(
        report=json.loads(lines[-1]),
        left=tuple(it for it in feed.ledger()["open"] if it["continuation"]),
        filters=tuple(it["filters"] for it in api.requests()[before:]),
    )


def _follow(running: Running, api: Api, before: int) -> None:
    """Print a dot for every page while the function works."""
    shown = 0
    while running.process.poll() is None:
        if TOLD_TO_STOP.wait(POLL_SECONDS):
            raise DemoError("it was told to stop")
        pages = len(api.requests()) - before
        _say("." * (pages - shown), end="")
        shown = pages


def _told(run: Run) -> str:
    report = run.report
    said = f" {report['records']:,} activities from {report['requests']} pages"
    if report["outcome"] == "idle":
        return f"{said}; nothing is due any more"
    if not run.left:
        return f"{said}; stopped by its time budget"
    piece = run.left[0]
    return (
        f"{said}; stopped by its time budget in the middle of the slice "
        f"{_clock(piece['start'])}-{_clock(piece['end'])}:\n"
        f"      pages staged: {len(piece['blocks'])}, continuation saved: {piece['continuation']}"
    )


def _show(feed: Feed, api: Api, runs: list[Run]) -> None:
    resumed = _resumed(runs)
    if not resumed:
        raise DemoError("no run resumed from a saved continuation")
    said = "Runs that resumed with exactly the continuation that the one before saved"
    _say(f"\n{said}: {len(resumed)}")
    _list_blobs(feed)
    entries = list(feed.entries())
    lines = [line for entry in entries for line in entry.lines]
    _say("\nThree records, as a reader gets them (shortened):")
    for line in lines[:: max(1, len(lines) // 3)][:3]:
        _say(f"  {_short(line)}")
    _prove(len(entries), [_identity(json.loads(line)) for line in lines], api)


def _resumed(runs: list[Run]) -> list[Run]:
    """Return the runs that resumed a slice from its saved continuation."""
    return [run for last, run in pairwise(runs) if any(map(run.resumes, last.left))]


def _list_blobs(feed: Feed) -> None:
    for container in (feed.data, feed.manifests, feed.state):
        blobs = list(container.list_blobs())
        _say(f"\ncontainer {container.container_name}: {len(blobs)} blobs")
        for blob in blobs[:3]:
            _say(f"  {blob.size:>9,} bytes  {blob.name}")
        if blobs[3:]:
            _say(f"  ... and {len(blobs) - 3} more")


def _prove(entries: int, found: list[Identity], api: Api) -> None:
    """Compare the records in the feed with the activities of the API."""
    twice = len(found) - len(set(found))
    missing, foreign = api.truth - set(found), set(found) - api.truth
    _say(
        f"\nThe feed has {entries} manifests, each with the hash of the one before, and "
        f"{len(found):,} records.\nmissing: {len(missing)}   twice: {twice}   "
        f"unknown to the API: {len(foreign)}"
    )
    if missing or foreign or twice:
        raise DemoError("the blobs differ from what the API holds")
    _say("The blobs equal the API's truth.")


def _keep_page(feed: Feed) -> None:
    """Keep the status page that the last run wrote, since the storage ends with the demo."""
    path = Path(tempfile.mkdtemp(prefix="activity-scan-demo-")) / "status.html"
    path.write_bytes(feed.state.download_blob("scan=all/status.html").readall())
    _say(f"The status page of this scan: {path.as_uri()}")


def _identity(record: dict[str, Any]) -> Identity:
    return record["_id"], record["timestamp"], record["created"]


def _short(line: bytes) -> str:
    record = json.loads(line)
    shown = {name: record.get(name) for name in ("_id", "timestamp", "appName", "description")}
    return f"{json.dumps(shown, ensure_ascii=False)[:150]} ... {len(line):,} bytes"


def _clock(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%H:%M}"


def _say(text: str, end: str = "\n") -> None:
    sys.stdout.write(text + end)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
