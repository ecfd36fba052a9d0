"""Fakes of the ports: in memory, faithful to the contracts, and crashable at every effect.

They pass the same contract tests as the Azure adapters (`tests/contracts`).
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from shared.core.errors import (
    BlocksLost,
    LedgerConflict,
    PartUnreadable,
    StoreConflict,
    StoreUnavailable,
)
from shared.core.model import Answer, Block, NoAnswer, PartBlob, Policy, Request, StoredPart
from shared.core.state.layout import hour_prefix, is_folder, stored_parts
from shared.ports import (
    Derived,
    KeptAnswer,
    LedgerVersion,
    ListedScans,
    SavedBudget,
    SavedLedger,
    Trial,
)
from shared.settings import fingerprint

NOW = 1_795_435_200_000
"""2026-11-23T12:00:00Z, the instant at which most tests happen."""

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


T = TypeVar("T")


class Crash(BaseException):
    """The process dies here."""


class Endless(BaseException):
    """A run has so many effects that it seems to be endless; no run treats this as a fault."""


@dataclass(slots=True)
class Effects:
    """Numbers the side effects of a run, and makes the process die or sleep at one of them.

    Attributes:
        at: the number of that effect, or 0 for none.
        how: `before` it happens, or `after`, which is also how an answer is lost.
        meanwhile: what happens there while the process is suspended; it dies when there is none.
        late: where a write that did not happen before the process died waits to land later; none
            does when there is no such place.
        most: how many there may be; None is any number.
        done: the effects so far, by name.
    """

    at: int = 0
    how: str = "before"
    meanwhile: Callable[[], object] | None = None
    late: list[Callable[[], object]] | None = None
    most: int | None = None
    done: list[str] = field(default_factory=list)

    def run(self, name: str, effect: Callable[[], T]) -> T:
        """Do one side effect, unless this is where the process dies."""
        self.done.append(name)
        if self.most is not None and len(self.done) > self.most:
            raise Endless(f"{self.most} effects, the last of them {self.done[-9:]}")
        here = len(self.done) == self.at
        if here and self.how == "before":
            if self.late is not None and name != "request":
                self.late.append(effect)
            self._strike(name)
        result = effect()
        if here and self.how == "after":
            self._strike(name)
        return result

    def _strike(self, name: str) -> None:
        self.at = 0
        if self.meanwhile is None:
            raise Crash(name)
        self.meanwhile()


class FakeClock:
    """A clock that tests control; sleeping advances it, too."""

    def __init__(self, now: int = NOW) -> None:
        self.wall = now
        self.monotonic = 0
        self.slept: list[int] = []

    def now(self) -> int:
        """Return the wall clock."""
        return self.wall

    def elapsed(self) -> int:
        """Return the monotonic clock."""
        return self.monotonic

    def sleep(self, milliseconds: int) -> None:
        """Let time pass."""
        self.slept.append(milliseconds)
        self.advance(milliseconds)

    def advance(self, milliseconds: int) -> None:
        """Let time pass on both clocks."""
        self.wall += milliseconds
        self.monotonic += milliseconds


class InMemoryLedger:
    """The `LedgerStore` in memory."""

    def __init__(self, date: Callable[[], int | None] = lambda: None) -> None:
        self.content: bytes | None = None
        self.version = 0
        self.date = date
        self.runs: list[str] = []
        self.history: list[bytes] = []
        self.quarantine: dict[int, tuple[bytes, dict[str, str]]] = {}
        self.effects = Effects()

    def load(self) -> SavedLedger:
        """Return the ledger."""
        etag = None if self.content is None else str(self.version)
        return SavedLedger(content=self.content, etag=etag, date=self.date())

    def save(self, content: bytes, *, etag: str | None) -> str:
        """Replace the ledger if it is the version that was read."""
        return self.effects.run("save ledger", lambda: self._save(content, etag))

    def _save(self, content: bytes, etag: str | None) -> str:
        stored = self.load()
        if stored.etag != etag:
            if stored.content == content and stored.etag is not None:
                return stored.etag
            raise LedgerConflict("saved by another run")
        self.content = content
        self.version += 1
        self.history.append(content)
        return str(self.version)

    def append_run(self, line: str, *, now: int) -> None:
        """Keep the line."""
        del now
        self.runs.append(line)

    def report_lines(self) -> Iterator[str]:
        """Yield the lines that were appended."""
        yield from self.runs

    def put_in_quarantine(self, slot: int, content: bytes, *, metadata: Mapping[str, str]) -> None:
        """Keep a strange answer."""
        self.effects.run("keep answer", lambda: self._keep(slot, content, metadata))

    def _keep(self, slot: int, content: bytes, metadata: Mapping[str, str]) -> None:
        self.quarantine[slot] = (content, dict(metadata))

    def value(self) -> dict[str, Any]:
        """Return the stored ledger as plain JSON."""
        value: dict[str, Any] = json.loads(self.content or b"{}")
        return value


class InMemoryBudget:
    """The `BudgetStore` in memory; `saves` has every version.

    Attributes:
        date: the storage service's clock; its answers state whole seconds.
    """

    def __init__(self, date: Callable[[], int] = lambda: NOW) -> None:
        self.content: bytes | None = None
        self.modified = 0
        self.date = date
        self.saves: list[bytes] = []
        self.effects = Effects()
        self.failing = False

    def load(self) -> SavedBudget:
        """Return the budget."""
        self._require_willing()
        stated = self.date() // 1000 * 1000
        if self.content is None:
            return SavedBudget(content=None, etag=None, modified=0, date=stated)
        etag = str(len(self.saves))
        return SavedBudget(content=self.content, etag=etag, modified=self.modified, date=stated)

    def save(self, content: bytes, *, etag: str | None) -> str | None:
        """Replace the budget if it is the version that was read."""
        self._require_willing()
        return self.effects.run("save budget", lambda: self._save(content, etag))

    def _save(self, content: bytes, etag: str | None) -> str | None:
        stored = None if self.content is None else str(len(self.saves))
        if stored != etag:
            return stored if content == self.content else None
        self.put(content)
        return str(len(self.saves))

    def put(self, content: bytes) -> None:
        """Write it, whoever has read which version."""
        self.content = content
        self.modified = self.date() // 1000 * 1000
        self.saves.append(content)

    def value(self) -> dict[str, Any]:
        """Return the stored budget as plain JSON."""
        value: dict[str, Any] = json.loads(self.content or b"{}")
        return value

    def _require_willing(self) -> None:
        if self.failing:
            raise StoreUnavailable("no answer")


class InMemoryDerived:
    """The `DerivedStore` in memory; `lines` is its run log."""

    def __init__(self) -> None:
        self.blobs: dict[str, tuple[bytes, int, int]] = {}
        self.lines: list[str] = []
        self.effects = Effects()

    def read(self, name: str) -> Derived:
        """Return what is there."""
        if name not in self.blobs:
            return Derived(content=None, etag=None, manifest=0)
        content, version, manifest = self.blobs[name]
        return Derived(content=content, etag=str(version), manifest=manifest)

    def save(self, name: str, content: bytes, *, etag: str | None, manifest: int) -> bool:
        """Replace the version that was read."""
        return self.effects.run("save derived", lambda: self._save(name, content, etag, manifest))

    def _save(self, name: str, content: bytes, etag: str | None, manifest: int) -> bool:
        if self.read(name).etag != etag:
            return False
        self.blobs[name] = (content, int(etag or 0) + 1, manifest)
        return True

    def publish(self, name: str, content: bytes, *, manifest: int) -> bool:
        """Replace what is not newer."""
        stored = self.read(name)
        if stored.manifest > manifest:
            return False
        return self.save(name, content, etag=stored.etag, manifest=manifest)

    def newest_lines(self, most: int) -> list[str]:
        """Return the last lines."""
        return self.lines[-most:]


class InMemoryScanList:
    """The `ScanListStore` in memory; `asked` has the ETag that each read knew."""

    def __init__(self, content: bytes | None = None) -> None:
        self.content = content
        self.version = 1
        self.in_use: bytes | None = None
        self.asked: list[str | None] = []
        self.effects = Effects()
        self.failing = False

    def put(self, content: bytes | None) -> None:
        """Write or delete the file, as an operator does."""
        self.content = content
        self.version += 1

    def read(self, known: str | None) -> ListedScans | None:
        """Return the file if it is another version."""
        if self.failing:
            raise StoreUnavailable("no answer")
        self.asked.append(known)
        etag = str(self.version)
        if self.content is None:
            return None
        content = None if known == etag else self.content
        return ListedScans(content=content, etag=etag, changed=NOW + self.version)

    def kept(self) -> bytes | None:
        """Return the version that is kept."""
        return self.in_use

    def keep(self, content: bytes) -> None:
        """Keep a version."""
        self.effects.run("keep the list", lambda: self._keep(content))

    def _keep(self, content: bytes) -> None:
        self.in_use = content


TRIALS = (
    "create (state)",
    "refuse a second creation (state)",
    "replace the version that was read (state)",
    "refuse to replace another version (state)",
    "read (state)",
    "list (state)",
    "stage and commit (state)",
    "delete (state)",
    "stage a block (parts)",
    "list (parts)",
    "read (parts)",
    "stage a block (manifests)",
    "list (manifests)",
    "read (manifests)",
)
"""What is tried with storage, in order."""


class InMemoryTrials:
    """The `StorageTrials` in memory: everything works, but for what is in `problems`."""

    def __init__(self, problems: Mapping[str, str] | None = None) -> None:
        self.problems = problems or {}

    def trials(self) -> Iterator[Trial]:
        """Yield what went wrong, if anything did."""
        for name in TRIALS:
            needed = name != "delete (state)"
            yield Trial(name=name, problem=self.problems.get(name), is_needed=needed)


class InMemoryState:
    """The `StateArchive` over a ledger in memory, each of whose saves has left a version.

    Attributes:
        ledger: whose versions it shows.
        moments: when each version was saved, epoch ms; a second apart where it does not say.
        expired: numbers of the versions that the account no longer keeps.
        keeps_versions: whether the account keeps any.
    """

    def __init__(self, ledger: InMemoryLedger, *, keeps_versions: bool = True) -> None:
        self.ledger = ledger
        self.moments: dict[int, int] = {}
        self.expired: set[int] = set()
        self.keeps_versions = keeps_versions

    def versions(self) -> list[LedgerVersion]:
        """Return the saves, the newest first."""
        saves = list(enumerate(self.ledger.history, start=1)) if self.keeps_versions else []
        newest = len(saves) if self.ledger.content is not None else 0
        return [
            LedgerVersion(
                id=f"v{number}",
                saved=self.moments.get(number, NOW + number * 1000),
                size=len(content),
                is_current=number == newest,
            )
            for number, content in reversed(saves)
            if number not in self.expired
        ]

    def version(self, version: str) -> bytes | None:
        """Return what was saved."""
        held = {it.id for it in self.versions()}
        return self.ledger.history[int(version[1:]) - 1] if version in held else None

    def kept_answers(self) -> list[KeptAnswer]:
        """Return what the ledger store has kept, the newest first."""
        found = [
            KeptAnswer(
                slot=slot,
                kept=NOW + place,
                size=len(content),
                run=about.get("run", ""),
                slice=about.get("slice", ""),
                fault=about.get("fault", ""),
            )
            for place, (slot, (content, about)) in enumerate(self.ledger.quarantine.items())
        ]
        return found[::-1]

    def kept_answer(self, slot: int) -> bytes | None:
        """Return what a slot holds."""
        kept = self.ledger.quarantine.get(slot)
        return None if kept is None else kept[0]


class InMemoryResults:
    """The `ResultStore` in memory; `parts` and `manifests` are what readers see.

    Attributes:
        read: the names of the parts that were read back, in order.
        lists_folders: whether listings show folders, as those of an account with a hierarchical
            namespace do; they stay when what was in them is gone.
        troubled: what the service says of parts that it neither reads nor writes, by name.
    """

    def __init__(self, *, lists_folders: bool = False) -> None:
        self.lists_folders = lists_folders
        self.folders: dict[str, None] = {}
        self.troubled: dict[str, str] = {}
        self.parts: dict[str, bytes] = {}
        self.lists: dict[str, list[tuple[str, int]]] = {}
        self.metadata: dict[str, dict[str, str]] = {}
        self.staged: dict[str, dict[str, bytes]] = {}
        self.manifests: dict[int, bytes] = {}
        self.read: list[str] = []
        self.effects = Effects()
        self.lock = threading.Lock()

    def is_empty(self) -> bool:
        """Report whether there is neither a part nor a manifest."""
        return not any(True for _ in self.all_parts()) and not self.manifests

    def stage_block(self, part: str, block: Block, content: bytes) -> None:
        """Keep a block out of sight."""
        self.effects.run("stage block", lambda: self._stage(part, block.id, content))

    def _stage(self, part: str, block_id: str, content: bytes) -> None:
        self._require_willing(part)
        with self.lock:
            self.staged.setdefault(part, {})[block_id] = content

    def has_staged(self, part: str, blocks: Sequence[Block]) -> bool:
        """Compare ids and sizes."""
        staged = self.staged.get(part, {})
        return all(len(staged.get(block.id, b"")) == block.size for block in blocks)

    def commit_part(
        self, part: str, blocks: Sequence[Block], *, metadata: Mapping[str, str]
    ) -> None:
        """Make the part appear."""
        self.effects.run("commit part", lambda: self._commit(part, blocks, metadata))

    def _commit(self, part: str, blocks: Sequence[Block], metadata: Mapping[str, str]) -> None:
        wanted = [(block.id, block.size) for block in blocks]
        if part in self.parts:
            if self.lists[part] != wanted:
                raise StoreConflict(f"part {part} already exists with other blocks")
            return
        staged = self.staged.get(part, {})
        if not {block.id for block in blocks} <= set(staged):
            raise BlocksLost(f"the service no longer has all staged blocks of {part}")
        self.parts[part] = b"".join(staged[block.id] for block in blocks)
        self.lists[part] = wanted
        self.metadata[part] = dict(metadata)
        del self.staged[part]

    def put_manifest(self, number: int, content: bytes) -> None:
        """Write a manifest once."""
        self.effects.run("put manifest", lambda: self._put(number, content))

    def _put(self, number: int, content: bytes) -> None:
        if self.manifests.setdefault(number, content) != content:
            raise StoreConflict(f"manifest {number} already exists with other content")

    def parts_of(self, hour: int) -> tuple[StoredPart, ...]:
        """Describe the parts of an hour by their names."""
        listed = self.listing(hour_prefix("all", hour))
        files = [it for it in listed if not is_folder(it.name, it.size, it.metadata)]
        return stored_parts("all", [(it.name, it.size) for it in files])

    def all_parts(self) -> Iterator[PartBlob]:
        """Yield every part and foreign blob, but no folder."""
        for blob in self.listing():
            if not is_folder(blob.name, blob.size, blob.metadata):
                yield blob

    def listing(self, prefix: str = "") -> list[PartBlob]:
        """Return what the service would list, sorted by name."""
        listed = [
            PartBlob(name=name, size=len(content), metadata=self.metadata.get(name, {}))
            for name, content in self.parts.items()
            if name.startswith(prefix)
        ]
        if self.lists_folders:
            folders = (folder for name in self.parts for folder in folders_of(name))
            self.folders.update(dict.fromkeys(folders))
            made = {"hdi_isfolder": "true"}
            shown = [it for it in self.folders if it.startswith(prefix)]
            listed += [PartBlob(name=it, size=0, metadata=made) for it in shown]
        return sorted(listed, key=lambda it: it.name)

    def all_manifests(self) -> Iterator[int]:
        """Yield the number of every manifest."""
        yield from sorted(self.manifests)

    def blocks_of(self, part: str) -> list[tuple[str, int]]:
        """Return the committed blocks."""
        return self.lists[part]

    def part(self, name: str) -> bytes:
        """Return a part's bytes."""
        if name not in self.parts:
            raise PartUnreadable(f"part {name} is gone")
        self._require_willing(name)
        self.read.append(name)
        return self.parts[name]

    def _require_willing(self, name: str) -> None:
        if name in self.troubled:
            raise PartUnreadable(f"{name}: {self.troubled[name]}")

    def manifest(self, number: int) -> bytes | None:
        """Return a manifest."""
        return self.manifests.get(number)


def folders_of(name: str) -> list[str]:
    """Return the folders that contain a blob of this name, except the outermost."""
    levels = name.split("/")[:-1]
    return ["/".join(levels[:count]) for count in range(2, len(levels) + 1)]


Reply = Answer | NoAnswer | Exception


class FakeApi:
    """The `ActivitySource` over a list of instants: whole-millisecond tail drop, both directions.

    Attributes:
        truth: event times of the activities it holds; each is one record.
        page: records on a page, whatever limit is asked for.
        latency: ms that every answer takes by the clock.
        replies: scripted answers by request number (from 1), instead of pages.
        asked: the bodies of the requests, parsed.
        bodies: the same bodies as they were sent.
    """

    def __init__(self, truth: Sequence[int], *, clock: FakeClock, page: int = 10) -> None:
        self.truth = sorted(truth)
        self.clock = clock
        self.page = page
        self.latency = 0
        self.replies: dict[int, Reply] = {}
        self.always: Callable[[dict[str, Any]], Reply | None] = lambda _: None
        self.asked: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.timeouts: list[float] = []
        self.renewable = False
        self.renewed = 0
        self.effects = Effects()
        self.date: Callable[[], int | None] = lambda: None
        self.lock = threading.Lock()

    def ask(self, request: Request, *, timeout: float) -> Answer | NoAnswer:
        """Answer one request."""
        return self.effects.run("request", lambda: self._locked(request, timeout))

    def _locked(self, request: Request, timeout: float) -> Answer | NoAnswer:
        with self.lock:
            return self._ask(request, timeout)

    def _ask(self, request: Request, timeout: float) -> Answer | NoAnswer:
        body = json.loads(request.body)
        self.asked.append(body)
        self.bodies.append(request.body)
        self.timeouts.append(timeout)
        if self.latency > timeout * 1000:
            self.clock.advance(int(timeout * 1000))
            return NoAnswer(kind="timeout", detail=f"no complete answer in {timeout:.0f} s")
        self.clock.advance(self.latency)
        scripted = self.replies.get(len(self.asked)) or self.always(body)
        if isinstance(scripted, Exception):
            raise scripted
        return scripted or page_of(self._select(body), self.date())

    def _select(self, body: dict[str, Any]) -> dict[str, Any]:
        bounds = body["filters"]["date"]
        ascending = body.get("sortDirection", "desc") == "asc"
        found = [at for at in self.truth if bounds["gte"] <= at <= bounds["lte"]]
        ordered = found if ascending else found[::-1]
        shown = ordered[: self.page]
        answer: dict[str, Any] = {
            "data": [],
            "hasNext": len(ordered) > len(shown),
            "total": len(found),
        }
        if answer["hasNext"]:
            cursor = ordered[self.page]
            shown = [at for at in shown if at != cursor]
            moved = {"gte": cursor} if ascending else {"lte": cursor}
            answer["nextQueryFilters"] = {**body["filters"], "date": {**bounds, **moved}}
        counted: dict[int, int] = {}
        for at in shown:
            counted[at] = counted.get(at, 0) + 1
            answer["data"].append(activity(at, counted[at]))
        return answer

    def renew_token(self) -> bool:
        """Count the call."""
        self.renewed += 1
        return self.renewable


def activity(at: int, copy: int = 1) -> dict[str, Any]:
    """Return a small record; activities at one instant differ by `copy`."""
    return {"_id": f"{at}-{copy}", "timestamp": at, "created": at + 200_000, "n": copy}


def page_of(answer: dict[str, Any], date: int | None = None) -> Answer:
    """Return a successful answer with this body."""
    return Answer(status=200, body=json.dumps(answer).encode(), date=date)


def status(code: int, body: str = "", **headers: Any) -> Answer:
    """Return an answer that is not a page."""
    return Answer(status=code, body=body.encode(), **headers)


def policy(**changes: Any) -> Policy:
    """Return a policy with the settings' defaults, one lane, and the given changes."""
    values: dict[str, Any] = {
        "scan": "all",
        "filters": {},
        "accept": None,
        "axis": "date",
        "direction": "asc",
        "limit": 5000,
        "api": "contoso.eu2.portal.cloudappsecurity.com",
        "budget": 240_000,
        "lookback": 3 * HOUR,
        "settle": 10 * MINUTE,
        "fresh": HOUR,
        "slice_length": 5 * MINUTE,
        "sweeps": (("sweep-2h", 2 * HOUR), ("sweep-24h", DAY)),
        "sweep_by": "full",
        "reach": 30 * DAY,
        "concurrency": 1,
        "requests_per_minute": 1000,
        "lag_alert": HOUR,
        "doubt_alert": 5 * MINUTE,
        "throttled_alert": 50,
        "pause_alert": DAY,
        **changes,
    }
    values.setdefault("budget_most", values["budget"])
    values.setdefault("budget_expected", values["budget_most"])
    values.setdefault("fingerprint", fingerprint(values["filters"], values["axis"]))
    return Policy(**values)
