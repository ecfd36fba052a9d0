"""The runbook: its lines are what the program prints, and its actions end what they should end.

Each test makes a scan on the simulated API, or a command, meet a problem, and compares what it
prints with the line that the section quotes. Unless another test does so, it then does what the
section says, and looks where the section says to look.
"""

import ast
import json
import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

from harness.at_once import workers
from infra.scripts import check_functions
from shared.core import errors
from shared.core.audit.attention import SECTIONS, WrongList, attention_to
from shared.core.audit.quiet import Cause, Quiet
from shared.core.errors import (
    LedgerConflict,
    LeverRefused,
    ScanError,
    StoreUnavailable,
    UnreadableMessage,
)
from shared.core.model import Answer, Ledger, Policy
from shared.core.state import ledger as ledgers
from shared.core.state import levers
from shared.core.state.decisions import Order
from shared.core.state.report import Tally
from shared.due import Due, decode, lateness
from shared.operate import planning, quarantine, versions
from shared.operate.command_line.session import failures
from shared.operate.comparing import Comparison
from shared.operate.comparing import lines_of as lines_of_comparison
from shared.operate.display import standard_error
from shared.operate.doctor import lines_of
from shared.operate.following import Query, begin
from shared.operate.levers import Scan, pull
from shared.operate.querying import Asker
from shared.operate.rebuild import rebuild
from shared.ports import Ports
from shared.scan.host_claim import Held, HostClaim, SharedHost, claim_host
from shared.scan.reporting import Job, report_expired, report_unbuilt, run_and_report
from shared.scan_list import Known, ListReader
from simulator import Switches, Tenant
from tests.displays import Silent
from tests.fakes import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    Crash,
    Effects,
    FakeClock,
    InMemoryBudget,
    InMemoryDerived,
    InMemoryScanList,
    InMemoryState,
    Reply,
    policy,
)
from tests.simulated import SimulatedApi
from tests.unit.operate.test_doctor import Bedside
from tests.unit.settings.given import GOOD
from tests.world import World

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs/runbook.md").read_text("utf-8")
RULES = ROOT / "infra/modules/alerts.bicep"

LABELS = ("*Line:*", "*Cause:*", "*Action:*", "*How to see that it worked:*")
"""The parts of every section, in order."""

HEADINGS = {"runbook", "ledger", "warnings-and-conditions-in-a-report", "alerts", "levers"}
"""Headings over other sections."""

COMMANDS = ("python -m shared ", "az ")
"""How the commands begin that the lines name."""

NEED_AZURE = {"no-successful-run", "only-warmup-is-listed", "daily-cap", "poison-messages"}
"""Sections about the platform itself, whose actions take a subscription."""

NEVER_REPORTED = {ScanError, errors.LedgerError, errors.StoreError, errors.PartUnreadable}
"""Bases of other errors, and one that is always a fault of a slice."""

ELSEWHERE = {
    "query-failed": "tests/integration/test_command_line.py::"
    "test_an_answer_that_would_lose_activities_leaves_no_file",
    "ledger-conflict": "tests/unit/operate/test_levers.py::"
    "test_a_lever_gives_up_when_it_is_refused_time_and_again",
    "unexpected": "tests/unit/test_senseless_answers.py::"
    "test_an_error_outside_any_slice_ends_the_run_and_frees_the_claim",
    "asked-for-less": "tests/unit/test_first_contact.py::"
    "test_what_was_refused_is_tried_again_once_a_day",
    "unexpected-faults": "tests/unit/test_senseless_answers.py::"
    "test_an_unexpected_error_of_a_step_is_a_fault_of_its_slice",
    "clocks-differ": "tests/unit/test_clocks.py::"
    "test_a_date_more_than_a_day_away_ends_the_run_and_touches_no_slice",
    "sort-direction": "tests/unit/test_sort_direction.py::"
    "test_an_api_that_obeys_again_is_asked_as_the_settings_say",
    "other-warnings": "tests/unit/test_scan.py::test_a_changed_lookback_is_reported_and_ignored",
    "putting-the-ledger-back": "tests/unit/operate/test_versions.py::"
    "test_a_damaged_ledger_is_replaced_by_the_newest_that_fits",
    "looking-at-a-kept-answer": "tests/unit/operate/test_quarantine.py::"
    "test_an_answer_is_listed_with_its_time_slice_and_reason",
    "seeing-what-the-next-run-would-do": "tests/unit/operate/test_planning.py::"
    "test_it_says_what_comes_first_what_waits_and_when_the_backlog_is_gone",
    "examining-settings-access-and-api": "tests/unit/operate/test_doctor.py::"
    "test_what_failed_comes_first",
    "adding-a-tenant": "tests/integration/test_scan_list.py::"
    "test_a_check_compares_a_list_with_the_one_in_use",
    "pausing-a-tenant": "tests/integration/test_many_tenants.py::"
    "test_a_lever_pauses_the_named_tenant_only",
    "removing-a-tenant": "tests/integration/test_scan_list.py::"
    "test_a_list_in_an_env_file_takes_the_place_of_the_file",
    "expired-messages": "tests/integration/test_fan_out.py::"
    "test_an_expired_message_is_reported_and_does_nothing",
    "failing-runs": "tests/infra/test_alert_queries.py::"
    "test_failing_ends_with_the_first_run_that_succeeds",
}
"""Sections whose actions other tests carry out."""

HTML = Answer(status=200, body=b"<html>maintenance</html>")
DOWN = Answer(status=503, body=b"")
FULL = Answer(status=429, body=b'{"detail":"throttled"}')
CONTRADICTION = Answer(status=200, body=b'{"data":[],"hasNext":false,"total":5}')


@cache
def sections() -> dict[str, str]:
    """Return the text of every section by its anchor."""
    pieces = re.split(r"^#+ (.+)\n", RUNBOOK, flags=re.MULTILINE)
    return {
        title.lower().replace(",", "").replace(" ", "-"): text
        for title, text in zip(pieces[1::2], pieces[2::2], strict=True)
    }


def shape(text: str) -> str:
    """Return a text in which numbers and white space do not count."""
    return re.sub(r"\d[\d,]*", "#", " ".join(text.split()))


def quoted(section: str) -> list[str]:
    """Return what the line of a section quotes, as shapes; commands are typed, not printed."""
    line = sections()[section].partition("*Line:*")[2].partition("*Cause")[0]
    found = [shape(it) for it in re.findall(r"`([^`]+)`", line)]
    return [it for it in found if not it.startswith(COMMANDS)]


def told(value: object) -> str:
    """Return everything that a report line says, as one text."""
    if isinstance(value, dict):
        return " ".join(f"{key} {told(it)}" for key, it in value.items())
    if isinstance(value, list):
        return " ".join(told(it) for it in value)
    return str(value)


def assert_seen(section: str, line: dict[str, Any]) -> None:
    """Assert that a report line is the one that a section quotes."""
    assert quoted(section)
    assert [it for it in quoted(section) if it not in shape(told(line))] == [], line


class Scene:
    """A scan on the simulated API, with its report lines.

    Attributes:
        world: its storage and its clock.
        api: the simulated API, which a test may replace for some queries.
        by: how it is done.
    """

    def __init__(
        self, *, by: Policy | None = None, every: int = 5 * MINUTE, page: int = 50
    ) -> None:
        self.world = World([])
        activities = [(at, at + MINUTE) for at in range(NOW - 3 * HOUR, NOW + 2 * DAY, every)]
        tenant = Tenant.of(activities, record_size=900)
        self.api = SimulatedApi(tenant, self.world.clock, Switches(page_cap=page, minimum_limit=1))
        self.world.source = self.api
        self.by = by or policy(sweeps=())
        self.derived = InMemoryDerived()
        self.runs = 0

    def line(self, wrong_list: WrongList | None = None) -> dict[str, Any]:
        """Do a run, and return its report line."""
        self.runs += 1
        world = self.world
        job = Job(
            policy=self.by,
            ports=Ports(
                source=world.source,
                ledgers=world.ledgers,
                results=world.results,
                clock=world.clock,
            ),
            derived=self.derived,
            tally=Tally(scan="all", run=f"run-{self.runs}"),
            prepare=lambda: None,
            workers=workers,
            draw=lambda _: b"",
            wrong_list=wrong_list,
        )
        line: dict[str, Any] = json.loads(run_and_report(job).line)
        return line

    def lines(self, hours: float, every: int = 5 * MINUTE) -> list[dict[str, Any]]:
        """Run at regular times for some hours; return the report lines."""
        clock, found = self.world.clock, []
        until = clock.now() + int(hours * HOUR)
        while clock.now() < until:
            began = clock.now()
            found.append(self.line())
            self.world.ledgers.history.clear()
            clock.advance(max(0, began + every - clock.now()))
        return found

    def answer(self, reply: Reply, start: int = 0, end: int = NOW + 99 * DAY) -> None:
        """Let the API give this answer to every query about a time."""

        def instead(_number: int, asked: dict[str, Any]) -> Reply | None:
            bounds = asked["filters"].get("date", {})
            touched = bounds.get("gte", 0) < end and bounds.get("lte", NOW) >= start
            return reply if touched else None

        self.api.instead = instead

    def heal(self) -> None:
        """Let the API answer as it should."""
        self.api.instead = lambda _number, _asked: None

    def pull(self, lever: Callable[[Ledger, Order], Ledger]) -> None:
        """Pull a lever, as its command does."""
        stored = self.world.ledgers.load()
        order = Order(at=self.world.clock.now(), by="kim", reason="the reason")
        after = levers.taken(lever(ledgers.decode(stored.content or b""), order))
        self.world.ledgers.save(ledgers.encode(after), etag=stored.etag)


def kinds(line: dict[str, Any]) -> list[str]:
    """Return the kinds of what needs a person."""
    return [it["kind"] for it in line["attention"]]


def names_in(path: Path) -> set[str]:
    """Return the names of the tests in a file."""
    found = ast.parse(path.read_text("utf-8")).body
    return {it.name for it in found if isinstance(it, ast.FunctionDef)}


def compared() -> set[str]:
    """Return the sections whose lines the tests of this file compare."""
    return set(re.findall(r'assert_seen\(\s*"([\w-]+)"', Path(__file__).read_text("utf-8")))


def every_error(kind: type[ScanError] = ScanError) -> Iterator[type[ScanError]]:
    """Yield every class of error."""
    yield kind
    for child in kind.__subclasses__():
        yield from every_error(child)


leaves = pytest.mark.parametrize("section", sorted(set(sections()) - HEADINGS))


@leaves
def test_every_section_has_its_four_parts(section: str) -> None:
    """A person at night finds each where it was in the section before."""
    text = sections()[section].replace("*Cause* and *action:*", "*Cause:* *Action:*")

    places = [text.find(label) for label in LABELS]

    assert -1 not in places
    assert places == sorted(places)


@leaves
def test_every_line_is_compared_with_what_is_printed(section: str) -> None:
    """Each section quotes something, so that a person who searches for the line finds it."""
    assert quoted(section)
    assert section in compared()


@pytest.mark.parametrize("section", sorted(ELSEWHERE))
def test_every_action_is_carried_out_by_a_test(section: str) -> None:
    """Here, or in the test that this file names; what needs Azure is the exception."""
    path, _, name = ELSEWHERE[section].partition("::")

    assert section in set(sections()) - NEED_AZURE
    assert name in names_in(ROOT / path)


def test_every_kind_has_its_section() -> None:
    """The report line and the alerts name it."""
    assert set(SECTIONS.values()) <= set(sections())


@pytest.mark.parametrize("kind", list(every_error()))
def test_every_error_has_its_section(kind: type[ScanError]) -> None:
    """One that the page on settings, on the command line or on verifying explains has it there."""
    page, _, anchor = kind.help.partition("#")

    if page == "docs/runbook.md":
        assert kind is ScanError or kind.__name__ == "LedgerError" or anchor in sections()
        assert re.search(rf"\b{kind.__name__}\b", RUNBOOK) or kind in NEVER_REPORTED


@pytest.mark.parametrize(
    "lever",
    [
        "pause",
        "resume",
        "rescan",
        "backfill",
        "accept-filters",
        "retry",
        "ledger restore",
        "quarantine show",
        "plan",
        "doctor",
    ],
)
def test_every_lever_has_its_section(lever: str) -> None:
    """The section has the command to type."""
    text = RUNBOOK.partition("\n## Levers\n")[2]

    assert f"python -m shared {lever}" in text


REFUSALS = {
    401: "TokenRefused",
    403: "SourceRefused",
    404: "SourceRefused",
    302: "SourceRefused",
    400: "SourceRefused",
}


def test_source_refused() -> None:
    """Once the access is right, the scan collects everything."""
    scene = Scene()
    lines = []
    for status in REFUSALS:
        scene.answer(Answer(status=status, body=b'{"detail":"no"}'))
        lines.append(scene.line())

    assert [line["error"] for line in lines] == list(REFUSALS.values())
    assert {line["help"] for line in lines} == {"docs/runbook.md#source-refused"}
    assert_seen("source-refused", {"lines": lines})
    scene.heal()
    assert "error" not in scene.line()


def test_query_failed(capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints it on standard error."""
    scene = Scene()
    scene.answer(HTML)
    asker = Asker(scene.api, scene.world.clock, Silent(), per_minute=25)
    query = Query(filters={}, axis="date", direction="asc", limit=500)

    with pytest.raises(typer.Exit), failures(standard_error()):
        asker.page(begin(query))

    assert_seen("query-failed", {"stderr": capsys.readouterr().err})


def test_ledger_unreadable() -> None:
    """The version before is restored."""
    scene = Scene()
    before = scene.line()
    good = scene.world.ledgers.content
    scene.world.ledgers.content = b'{"version":1'

    line = scene.line()

    assert_seen("ledger-unreadable", line)
    scene.world.ledgers.content = good
    after = scene.line()
    assert ("error" in after, after["manifest"]) == (False, before["manifest"])


def test_ledger_too_new() -> None:
    """The ledger is left as it was, for the newer program."""
    scene = Scene()
    scene.line()
    value = scene.world.ledgers.value() | {"version": 2, "min_reader": 2}
    newer = json.dumps(value).encode()
    scene.world.ledgers.content = newer

    line = scene.line()

    assert_seen("ledger-too-new", line)
    assert scene.world.ledgers.content == newer


@pytest.mark.parametrize("how", ["restored", "rebuilt"])
def test_ledger_missing(how: str) -> None:
    """The scan resumes where it was."""
    scene = Scene()
    before = scene.line()
    world, good = scene.world, scene.world.ledgers.content
    world.ledgers.content = None

    line = scene.line()

    assert_seen("ledger-missing", line)
    if how == "restored":
        world.ledgers.content = good
    else:
        made = rebuild(world.results, scene.by, world.clock.now(), Silent())
        world.ledgers.content = ledgers.encode(made.ledger)
    after = scene.line()
    assert ("error" in after, after["manifest"]) == (False, before["manifest"])


def test_ledger_rolled_back() -> None:
    """The newest version, or the manifest, is put back."""
    scene = Scene()
    scene.line()
    old = scene.world.ledgers.content
    scene.world.clock.advance(HOUR)
    head = scene.line()["manifest"]
    world, newest = scene.world, scene.world.ledgers.content

    world.ledgers.content = old
    longer = scene.line()
    world.ledgers.content = newest
    manifest = world.results.manifests.pop(head)
    gone = scene.line()
    world.results.manifests[head] = manifest[:-1]
    other = scene.line()

    assert_seen("ledger-rolled-back", {"lines": [longer, gone, other]})
    world.results.manifests[head] = manifest
    assert "error" not in scene.line()


def test_scope_changed() -> None:
    """The sort field is set back."""
    scene = Scene()
    scene.line()
    before = scene.by

    scene.by = policy(sweeps=(), filters={"service": {"eq": [1]}})
    filters = scene.line()
    scene.by = policy(sweeps=(), axis="created")
    axis = scene.line()

    assert_seen("scope-changed", {"lines": [filters, axis]})
    scene.by = before
    assert "error" not in scene.line()


def test_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run tries again."""
    scene = Scene()
    scene.line()
    with monkeypatch.context() as broken:
        problem = StoreUnavailable("cannot read it: HTTP 403 AuthorizationFailure")
        broken.setattr(scene.world.ledgers, "load", partial(_fail, problem))
        line = scene.line()

    assert_seen("storage", line)
    assert "error" not in scene.line()


def _fail(problem: Exception, *_: object, **__: object) -> None:
    raise problem


def test_store_conflict() -> None:
    """What the other program wrote is moved away."""
    scene = Scene()
    before = scene.line()["manifest"]
    scene.world.clock.advance(HOUR)
    saving = scene.world.results.put_manifest

    def put(number: int, content: bytes) -> None:
        scene.world.results.manifests.setdefault(number, b"of another program")
        saving(number, content)

    scene.world.results.put_manifest = put  # type: ignore[method-assign]
    line = scene.line()

    assert line["error"] == "StoreConflict"
    assert_seen("store-conflict", line)
    scene.world.results.put_manifest = saving  # type: ignore[method-assign]
    del scene.world.results.manifests[before + 1]
    assert "error" not in scene.line()


def test_blocks_lost() -> None:
    """The part is restored, and the commit that needs it is done."""
    scene = Scene()
    world = scene.world
    counted = Effects()
    world.share(counted)
    scene.line()
    scene = Scene()
    world = scene.world
    world.share(Effects(at=counted.done.index("put manifest") + 1, how="after"))
    with pytest.raises(Crash):
        scene.line()
    world.share(Effects())
    world.results.staged.clear()
    (name,) = world.results.parts
    part, blocks = world.results.parts.pop(name), world.results.lists.pop(name)
    world.clock.advance(8 * DAY)

    line = scene.line()

    assert line["error"] == "BlocksLost"
    world.results.parts[name], world.results.lists[name] = part, blocks
    assert "error" not in scene.line()
    assert_seen("blocks-lost", line)


def test_part_unreadable() -> None:
    """A sweep that misses a part is blocked until the part is restored."""
    scene = Scene(by=policy(sweeps=(("sweep-2h", 2 * HOUR),)))
    scene.line()
    parts = scene.world.results.parts
    name = max(parts)
    part = parts.pop(name)

    line = scene.lines(5)[-1]

    assert_seen("part-unreadable", line)
    scene.line()
    parts[name] = part
    scene.pull(levers.retried)
    assert scene.line()["blocked_slices"] == 0


def test_blocked_slices() -> None:
    """Once the API answers, a retry reads the second."""
    scene = Scene()
    scene.line()
    at = NOW + 20 * MINUTE
    scene.answer(HTML, at, at + 1)

    line = scene.lines(4)[-1]

    assert_seen("blocked-slices", line)
    scene.heal()
    scene.pull(levers.retried)
    after = scene.line()
    assert_seen("retrying-at-once", after)
    assert after["blocked_slices"] == 0
    with pytest.raises(LeverRefused):
        scene.pull(levers.retried)


def test_doubt() -> None:
    """The sweep after two hours clears what the API shows by then."""
    scene = Scene()
    scene.line()
    scene.answer(CONTRADICTION, NOW, NOW + HOUR)

    line = scene.lines(9)[-1]

    assert_seen("doubt", line)
    assert "doubt" in kinds(line)
    scene.heal()
    scene.by = policy(sweeps=(("sweep-2h", 2 * HOUR),))
    assert scene.lines(3)[-1]["doubt_seconds"] < line["doubt_seconds"]


def held_up(scene: Scene) -> dict[str, Any]:
    """Let the API fail for four weeks; return the last report line."""
    scene.line()
    scene.answer(DOWN)
    scene.world.clock.advance(27 * DAY + 12 * HOUR)
    return scene.lines(2, every=20 * MINUTE)[-1]


def test_soon_lost() -> None:
    """Once the cause is gone, the scan catches up, the oldest time included."""
    scene = Scene()

    line = held_up(scene)

    assert_seen("soon-lost", line)
    scene.heal()
    after = scene.lines(1)
    assert after[-1]["soon_lost_seconds"] == 0
    assert after[-1]["lost_seconds"] == 0


def test_declared_lost() -> None:
    """The loss stays, and the alert ends after a day."""
    scene = Scene()
    held_up(scene)
    scene.world.clock.advance(3 * DAY)

    line = scene.line()

    assert_seen("declared-lost", line)
    scene.heal()
    after = scene.lines(27, every=HOUR)
    assert after[-1]["lost_seconds"] == after[2]["lost_seconds"] > 0
    assert "lost" not in kinds(after[-1])


def test_throttled_runs() -> None:
    """Once the others leave requests, most runs meet no throttle."""
    scene = Scene()
    scene.line()
    scene.answer(FULL)

    line = scene.lines(3)[-1]

    assert_seen("throttled", line)
    scene.heal()
    after = scene.lines(3)[-1]
    assert (after["waiting_until"], "throttled" in kinds(after)) == (0, False)


def test_over_budget() -> None:
    """A higher limit on requests ends it."""
    scene = Scene(
        by=policy(sweeps=(), requests_per_minute=1, budget=5_000), every=10 * MINUTE, page=1
    )

    line = scene.lines(9, every=15 * MINUTE)[-1]

    assert_seen("over-budget", line)
    scene.by = policy(sweeps=(), requests_per_minute=25)
    assert "over-budget" not in kinds(scene.lines(1)[-1])


def test_sweeps_behind() -> None:
    """A higher limit on requests ends it."""
    many = (("sweep-1h", HOUR), ("sweep-2h", 2 * HOUR), ("sweep-3h", 3 * HOUR))
    by = policy(sweeps=many, requests_per_minute=1, budget=5_000)
    scene = Scene(by=by, every=10 * MINUTE, page=1)

    line = scene.lines(20, every=15 * MINUTE)[-1]

    assert_seen("sweeps-behind", line)
    scene.by = policy(sweeps=many)
    assert scene.lines(1)[-1]["sweeps_behind_seconds"] == 0


def test_quiet_hours() -> None:
    """The line says since when; the tests of the rule say when it ends."""
    scene = Scene()
    line = scene.line()
    ledger = ledgers.decode(scene.world.ledgers.content or b"")

    causes: tuple[Cause, ...] = get_args(Cause)
    texts = [
        entry.text
        for cause in causes
        for entry in attention_to(ledger, scene.by, NOW, quiet=Quiet(cause, NOW - 4 * HOUR, 4))
    ]

    assert len(texts) == 3
    assert_seen("quiet-hours", line | {"text": texts})


def test_a_wrong_list_of_scans() -> None:
    """A correct file ends it, and so does a file that is put back."""
    scene, store, known = Scene(), InMemoryScanList(b'[{"name": "all"}]'), Known()
    lines = []
    for content in (
        b'[{"name": "all"}]',
        b'[{"name": "all"}, {"name": "fabrikam", "limit": 1}]',
        b'[{"name": "all"}, {"name": "fabrikam"}]',
        None,
        b'[{"name": "all"}]',
    ):
        store.put(content)
        lines.append(scene.line(ListReader(store, known).read(GOOD, keeps=True).wrong))

    assert_seen("scan-list", {"lines": [lines[1], lines[3]]})
    assert [kinds(it) for it in lines] == [[], ["scan-list"], [], ["scan-list"], []]


def test_a_pause_that_lasts() -> None:
    """Whoever resumes the scan ends it."""
    scene = Scene()
    scene.line()
    scene.pull(lambda ledger, order: levers.paused(ledger, order, until=None))

    line = scene.lines(25, every=HOUR)[-1]

    assert_seen("paused", line)
    scene.pull(levers.resumed)
    after = scene.line()
    assert_seen("resuming-a-scan", after)
    assert (after["outcome"], kinds(after), after["paused_since"]) == ("idle", [], 0)


def test_behind() -> None:
    """Once the API answers, the backlog shrinks and the alert ends."""
    scene = Scene()
    scene.line()
    scene.answer(DOWN)

    line = scene.lines(4)[-1]

    assert_seen("behind", line)
    scene.heal()
    after = scene.lines(0.5)[-1]
    assert (after["lag_seconds"], kinds(after)) == (0, [])


def test_busy() -> None:
    """The claim of a run that was killed expires by itself, and so does a run that lost its own."""
    scene = Scene()
    scene.line()
    now = scene.world.clock.now()
    value = scene.world.ledgers.value() | {"claimed_until": now + MINUTE}
    scene.world.ledgers.content = json.dumps(value).encode()

    busy = scene.line()

    scene.world.clock.advance(HOUR)
    take_over = partial(scene.pull, lambda ledger, order: levers.paused(ledger, order, until=None))
    scene.world.share(Effects(at=1, how="after", meanwhile=take_over))
    superseded = scene.line()
    scene.world.share(Effects())
    scene.pull(levers.resumed)
    assert scene.line()["outcome"] == "idle"
    assert_seen("busy", {"lines": [busy, superseded, *hosts_in_use()]})


def hosts_in_use() -> Iterator[str]:
    """Yield the warning about an API host that is claimed, and about a budget that is damaged.

    Each is gone once the claim has ended.
    """
    clock, store = FakeClock(NOW), InMemoryBudget()
    host = SharedHost(
        name="contoso.eu2.portal.cloudappsecurity.com:443", per_minute=25, store=store
    )
    claim = partial(claim_host, host, clock, length=MINUTE, scans=["a"])
    assert isinstance(claim(owner="5f2b"), HostClaim)
    for content in (store.saves[0], b"damaged"):
        store.put(content)
        held = claim(owner="other")
        assert isinstance(held, Held)
        yield held.warning
        clock.advance(11 * MINUTE)
        store.date = clock.now
        assert isinstance(claim(owner="other"), HostClaim)


def test_pausing_a_scan() -> None:
    """Runs send nothing until then, and catch up afterwards."""
    scene = Scene()
    scene.line()
    until = scene.world.clock.now() + HOUR
    scene.pull(lambda ledger, order: levers.paused(ledger, order, until=until))

    line = scene.line()

    assert_seen("pausing-a-scan", line)
    assert (line["outcome"], line["requests"]) == ("paused", 0)
    assert {it["outcome"] for it in scene.lines(2)} == {"paused", "idle"}
    assert scene.line()["backlog_seconds"] == 0


def test_pausing_a_tenant() -> None:
    """Without an end, the pause lasts until somebody ends it."""
    scene = Scene()
    scene.line()
    scene.pull(lambda ledger, order: levers.paused(ledger, order, until=None))

    assert_seen("pausing-a-tenant", scene.line())


def test_adding_and_removing_a_tenant() -> None:
    """A check of the list says which scans come and go, and what to create."""
    found = Comparison(
        added=("fabrikam",),
        removed=("fabrikam",),
        changed=(),
        refused=(),
        missing=("fabrikam-activities",),
        containers=(),
    )
    printed = {"printed": list(lines_of_comparison(found))}

    assert_seen("adding-a-tenant", printed)
    assert_seen("removing-a-tenant", printed)


def test_scanning_time_again() -> None:
    """What the token could not see is stored, and nothing is stored twice."""
    scene = Scene()
    hidden = json.dumps({"data": [], "hasNext": False, "total": 0}).encode()
    scene.answer(Answer(status=200, body=hidden), NOW - 3 * HOUR, NOW)
    scene.line()
    assert scene.world.followed() == []
    scene.heal()
    bounds = (NOW - 3 * HOUR, NOW - HOUR)
    scene.pull(lambda ledger, order: levers.rescanned(ledger, order, scene.by, bounds=bounds))

    line = scene.line()

    assert_seen("scanning-time-again", line)
    later = scene.lines(0.5)
    assert "rescan-done" in told([it["decisions"] for it in later])
    stored = [it["timestamp"] for it in scene.world.followed() if it["timestamp"] < NOW - HOUR]
    assert sorted(stored) == list(range(NOW - 3 * HOUR, NOW - HOUR, 5 * MINUTE))


def test_beginning_earlier() -> None:
    """The added time is collected."""
    scene = Scene(by=policy(sweeps=(), lookback=HOUR))
    scene.line()
    to = NOW - 3 * HOUR
    scene.pull(lambda ledger, order: levers.backfilled(ledger, order, scene.by, to=to))

    line = scene.line()

    assert_seen("beginning-earlier", line)
    assert scene.lines(0.5)[-1]["backlog_seconds"] == 0
    assert min(it["timestamp"] for it in scene.world.followed()) == NOW - 3 * HOUR


def test_accepting_other_filters() -> None:
    """The scan continues with the new ones."""
    scene = Scene()
    scene.line()
    scene.by = policy(sweeps=(), filters={"service": {"eq": [1]}})
    assert scene.line()["error"] == "ScopeChanged"
    scene.pull(lambda ledger, order: levers.filters_accepted(ledger, order, scene.by))

    line = scene.line()

    assert_seen("accepting-other-filters", line)
    assert "error" not in line


def test_ledger_conflict(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command prints it after the last attempt."""
    scene = Scene()
    scene.line()
    world = scene.world
    scan = Scan(policy=scene.by, ledgers=world.ledgers, results=world.results, clock=world.clock)
    pause = partial(levers.paused, until=None)
    overtaken = partial(_fail, LedgerConflict("another run"))
    monkeypatch.setattr(world.ledgers, "save", overtaken)

    with pytest.raises(typer.Exit), failures(standard_error()):
        pull(scan, pause, Silent(), by="kim", reason="", take_over=True)

    assert_seen("ledger-conflict", {"stderr": capsys.readouterr().err})


def test_unexpected() -> None:
    """The class is one that the page does not name."""
    scene = Scene()
    scene.line()
    scene.world.clock.advance(HOUR)
    scene.answer(MemoryError())

    line = scene.line()

    assert_seen("unexpected", line)
    assert f"`{line['error']}`" not in RUNBOOK


def test_asked_for_less() -> None:
    """The warning quotes the API and names the section."""
    scene = Scene()
    scene.api.switches = Switches(page_cap=50, minimum_limit=1, refuses=frozenset({"limit"}))

    line = scene.line()

    assert_seen("asked-for-less", line)
    assert "HTTP 400" in told(line["warnings"])


def test_unexpected_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run continues."""
    scene = Scene()
    with monkeypatch.context() as broken:
        broken.setattr(scene.world.results, "stage_block", partial(_fail, KeyError("id")))
        line = scene.line()

    assert_seen("unexpected-faults", line)
    assert "error" not in line


def test_clocks_differ() -> None:
    """Between the local clock and storage, the API and the run, and within a run."""
    scene = Scene()
    clock = scene.world.clock
    scene.api.date = lambda: clock.now() + 3 * MINUTE
    scene.world.ledgers.date = lambda: clock.now() - 2 * MINUTE
    apart = scene.line()
    clock.advance(HOUR)
    scene.api.date = lambda: clock.now() + 3 * DAY
    far = scene.line()
    scene.api.date = lambda: None

    def step(_number: int, _asked: dict[str, Any]) -> None:
        clock.wall += HOUR

    scene.api.instead = step
    clock.advance(HOUR)
    stepped = scene.line()

    assert_seen("clocks-differ", {"lines": [apart, far, stepped]})
    assert (apart["clock_skew_seconds"], apart["api_clock_skew_seconds"]) == (120, 300)
    assert "more than a day" in told(far["warnings"])
    assert "stepped, or the machine was suspended" in told(stepped["warnings"])


def test_sort_direction() -> None:
    """The warning states both directions."""
    scene = Scene()
    scene.api.switches = Switches(page_cap=5, minimum_limit=1, sorts="desc")

    line = scene.line()

    assert_seen("sort-direction", line)
    assert line["outcome"] == "idle"


def test_other_warnings() -> None:
    """Every warning that the table has, beside the settings, storage or time that causes it."""
    lines = [
        *_warned_of_settings(),
        _warned_of_the_quarantine(),
        _warned_of_expired_blocks(),
        _warned_of_a_missed_sweep(),
    ]

    assert_seen("other-warnings", {"lines": lines})


def _warned_of_settings() -> Iterator[dict[str, Any]]:
    scene = Scene()
    scene.line()
    new = policy(sweeps=(), filters={"service": {"eq": [1]}})
    scene.pull(lambda ledger, order: levers.filters_accepted(ledger, order, new))
    scene.by = policy(sweeps=(), lookback=9 * HOUR, api="fabrikam.eu2.portal.cloudappsecurity.com")
    yield scene.line()


def _warned_of_the_quarantine() -> dict[str, Any]:
    scene = Scene()
    scene.line()
    scene.world.clock.advance(HOUR)
    scene.answer(HTML)
    full = StoreUnavailable("cannot write it: HTTP 403 AuthorizationFailure")
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(scene.world.ledgers, "put_in_quarantine", partial(_fail, full))
        return scene.line()


def _warned_of_expired_blocks() -> dict[str, Any]:
    scene = Scene(by=policy(sweeps=(), fresh=10 * MINUTE), page=3)
    scene.api.latency = MINUTE
    assert scene.line()["open_slices"] == 1
    scene.world.results.staged.clear()
    scene.world.clock.advance(8 * DAY)
    scene.api.latency = 0
    return scene.line()


def _warned_of_a_missed_sweep() -> dict[str, Any]:
    scene = Scene(by=policy(sweeps=(("sweep-24h", DAY),)))
    scene.line()
    scene.world.clock.advance(31 * DAY)
    return scene.line()


def test_putting_the_ledger_back() -> None:
    """The list says which version fits; the next report states what was put back."""
    scene = Scene()
    scene.line()
    world = scene.world
    state = InMemoryState(world.ledgers)
    scan = Scan(policy=scene.by, ledgers=world.ledgers, results=world.results, clock=world.clock)
    listed = list(versions.lines_of(versions.read_versions(state, world.results, 20)))
    version = versions.choose(state, world.results, None).version

    versions.restore(scan, state, version, Silent(), by="kim", reason="", take_over=False)

    assert_seen("putting-the-ledger-back", scene.line() | {"listed": listed})


def test_looking_at_a_kept_answer() -> None:
    """The list has the reason."""
    scene = Scene()
    scene.answer(HTML)
    scene.line()

    listed = quarantine.lines_of(InMemoryState(scene.world.ledgers).kept_answers())

    assert_seen("looking-at-a-kept-answer", {"listed": list(listed)})


def test_seeing_what_the_next_run_would_do() -> None:
    """The first line has the number of requests."""
    scene = Scene()
    scene.line()
    now = scene.world.clock.now() + HOUR

    forecast = planning.read_plan(scene.world.ledgers, scene.derived, scene.by, now=now)

    lines = list(planning.lines_of(forecast, 10))
    assert_seen("seeing-what-the-next-run-would-do", {"printed": lines})


def test_examining_settings_access_and_api() -> None:
    """The first line counts what failed and what differs."""
    bedside = Bedside()

    lines = list(lines_of(bedside.examine()))

    assert_seen("examining-settings-access-and-api", {"printed": lines})


def test_failing_runs() -> None:
    """The report line says why, and the rule names where it says so."""
    scene = Scene()
    scene.answer(Answer(status=403, body=b"{}"))

    line = scene.line()

    assert_seen("failing-runs", line | {"rules": RULES.read_text("utf-8")})
    assert {"error", "message", "help"} <= set(line)


def test_no_successful_run() -> None:
    """There is no line, so the rules speak."""
    assert_seen("no-successful-run", {"rules": RULES.read_text("utf-8")})


def test_expired_messages() -> None:
    """It is the line of each scan that the message names."""
    late = Due(scans=("all",), slot=NOW, expires=NOW + 10 * MINUTE)

    result = report_expired("all", "run-1", lateness(late))

    assert_seen("expired-messages", json.loads(result.line))


def test_poison_messages() -> None:
    """The rule looks for what the host logs; an unreadable message has a report line, too."""
    with pytest.raises(UnreadableMessage) as raised:
        decode(b"{}")
    line = json.loads(report_unbuilt("run-1", raised.value).line)

    assert_seen("poison-messages", {"rules": RULES.read_text("utf-8"), **line})


def test_daily_cap() -> None:
    """The rule looks for what the workspace logs."""
    assert_seen("daily-cap", {"rules": RULES.read_text("utf-8")})


def test_only_warmup_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check after every deployment says so."""
    monkeypatch.setattr(check_functions, "az", lambda *_: "func-contoso/WarmUp\n")
    monkeypatch.setattr(check_functions, "TRIES", 1)

    wrong = check_functions.look("func-contoso", "rg-contoso", None, "scan_activities")

    assert_seen("only-warmup-is-listed", {"printed": wrong})
