"""The formats that others read: golden files, schemas, and invalid input."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from harness import schemas
from shared.core.api.blocks import stored_records
from shared.core.audit import history as histories
from shared.core.audit import overview as overviews
from shared.core.audit import status as statuses
from shared.core.audit.overview import overview_of, stored_glance, unread
from shared.core.audit.status import status_of
from shared.core.errors import LedgerTooNew, LedgerUnreadable
from shared.core.model import Policy
from shared.core.state import host_budget as budgets
from shared.core.state import ledger as ledgers
from shared.core.state import levers
from shared.core.state import manifest as manifests
from shared.core.state.report import encode, report_fields
from tests.fakes import HOUR, MINUTE, NOW, Crash, Effects, activity, page_of, policy
from tests.parts import lines_of
from tests.pulling import pull
from tests.world import World

GOLDEN = Path(__file__).parents[1] / "golden"
SCHEMAS = schemas.DOCS / "schemas"
LEDGERS = (
    "ledger-1.json",
    "ledger-1-open.json",
    "ledger-1-committing.json",
    "ledger-1-ordered.json",
    "ledger-1-decided.json",
)
HISTORIES = ("history-1.json",)
STATUSES = ("status-1.json",)
OVERVIEWS = ("overview-1.json",)
BUDGETS = ("budget-1.json", "budget-1-claimed.json")
MANIFESTS = (
    "manifest-1.json",
    "manifest-1-next.json",
    "manifest-1-empty.json",
    "manifest-1-decision.json",
)


def small_scan() -> World:
    """Return a world whose scan has slices of no, one and several pages."""
    first = [NOW - HOUR + 7_000 * n for n in range(11)]
    return World([*first, NOW - 40 * MINUTE], page=5)


def golden() -> dict[str, bytes]:
    """Return what the present program writes, by the name of the golden file."""
    how = policy(lookback=HOUR, sweeps=(("sweep-24h", 24 * HOUR),))
    whole = small_scan()
    whole.run(how)
    half = World([NOW - HOUR + 1_000 * n for n in range(250)], page=10)
    half.api.latency = 3_000
    half.api.replies = {2: page_of({})}
    half.run(policy(lookback=HOUR, fresh=20 * MINUTE, budget=20_000))
    number = next(n for n, done in enumerate(_effects(how), start=1) if done == "commit part")
    killed = small_scan()
    killed.share(Effects(at=number, how="after"))
    with pytest.raises(Crash):
        killed.run(how)
    part = next(name for name, content in whole.results.parts.items() if len(content) > 300)
    return {
        **decided(how),
        **_budgets(),
        "history-1.json": _history(whole),
        "ledger-1.json": whole.ledgers.history[-1],
        "ledger-1-open.json": half.ledgers.history[-1],
        "ledger-1-committing.json": killed.ledgers.history[-1],
        "manifest-1.json": whole.results.manifests[1],
        "manifest-1-next.json": _with_part(whole),
        "manifest-1-empty.json": whole.results.manifests[2],
        "overview-1.json": _overview(whole, how),
        "status-1.json": _status(whole, how),
        "part-1.jsonl": b"".join(line + b"\n" for line in lines_of(whole.results.parts[part])),
    }


def decided(how: Policy) -> dict[str, bytes]:
    """Return a ledger with outstanding orders, and what the run after it commits."""
    world = small_scan()
    world.run(how)
    pull(world, lambda it, order: levers.paused(it, order, until=NOW + HOUR))
    pull(world, lambda it, order: levers.backfilled(it, order, how, to=NOW - 2 * HOUR))
    bounds = (NOW - HOUR, NOW - 30 * MINUTE)
    pull(world, lambda it, order: levers.rescanned(it, order, how, bounds=bounds))
    ordered, number = world.ledgers.history[-1], len(world.results.manifests) + 1
    world.run(how)
    return {
        "ledger-1-ordered.json": ordered,
        "ledger-1-decided.json": world.ledgers.history[-1],
        "manifest-1-decision.json": world.results.manifests[number],
    }


def _budgets() -> dict[str, bytes]:
    """Return the budget of an API host while it is claimed, and once it is released."""
    begun = budgets.known(None, host="contoso.eu2.portal.cloudappsecurity.com:443", modified=0)
    claimed = budgets.claimed(begun.budget, owner="5f2b", until=NOW + 270_000, first="sign-ins")
    slots = (NOW + 61_000, NOW + 63_500)
    released = budgets.released(claimed, slots=slots, short_of_time=("exchange",))
    return {
        "budget-1-claimed.json": budgets.encode(claimed),
        "budget-1.json": budgets.encode(released),
    }


def _effects(how: Policy) -> list[str]:
    world = small_scan()
    effects = Effects()
    world.share(effects)
    world.run(how)
    return effects.done


def _history(world: World) -> bytes:
    history = histories.empty("all")
    for _, content in sorted(world.results.manifests.items()):
        history = histories.taken(history, manifests.decode(content), content)
    return histories.encode(history)


def _status(world: World, how: Policy) -> bytes:
    history = histories.decode(_history(world))
    ledger = ledgers.decode(world.ledgers.history[-1])
    world.tally.ended = NOW
    line = encode(report_fields(world.tally, how, "idle", duration=2_000))
    assert history is not None
    return statuses.encode(status_of(ledger, history, [line], how, now=NOW))


def _overview(world: World, how: Policy) -> bytes:
    glances = [
        stored_glance(_status(world, how), "all", how.api, now=NOW),
        stored_glance(None, "new", how.api, now=NOW),
        unread("gone", how.api, "the container does not exist", "docs/runbook.md#storage"),
    ]
    return overviews.encode(overview_of(glances, NOW))


def _with_part(world: World) -> bytes:
    found = [it for it in world.results.manifests.values() if json.loads(it)["part"]]
    return max(found, key=len)


COMPRESSED = {"id", "size", "sha256", "previous", "bytes", "program"}
"""Fields that depend on the release, or on the compressor, which differs between processors."""


def comparable(content: bytes) -> list[Any]:
    """Return a file's values, in order, without those that depend on the compressor."""

    def without(pairs: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
        return [(name, None if name in COMPRESSED else inner(name, value)) for name, value in pairs]

    def inner(name: str, value: object) -> object:
        return deep(value) if name == "manifest" and isinstance(value, str) else value

    def deep(text: str) -> object:
        return json.loads(text, object_pairs_hook=without)

    return [deep(line) for line in content.decode().splitlines()]


def read(name: str) -> bytes:
    """Return a golden file."""
    return (GOLDEN / name).read_bytes()


@pytest.mark.parametrize(
    "name", [*LEDGERS, *MANIFESTS, *HISTORIES, *STATUSES, *OVERVIEWS, *BUDGETS, "part-1.jsonl"]
)
def test_what_is_written_has_not_changed(name: str) -> None:
    """A changed format needs a new version, a migration and golden files of its own."""
    assert comparable(golden()[name]) == comparable(read(name))


@pytest.mark.parametrize("name", LEDGERS)
def test_a_released_ledger_is_loaded_and_written_as_it_was(name: str) -> None:
    """Every released version stays readable."""
    content = read(name)

    assert ledgers.encode(ledgers.decode(content)) == content


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_released_manifest_is_read_and_written_as_it_was(name: str) -> None:
    """Its bytes are hashed, so they must not depend on the program's version."""
    content = read(name)

    assert manifests.encode(manifests.decode(content)) == content


@pytest.mark.parametrize("name", HISTORIES)
def test_a_released_history_is_read_and_written_as_it_was(name: str) -> None:
    """It could be rebuilt, but that takes the runs a while."""
    history = histories.decode(read(name))

    assert history is not None
    assert histories.encode(history) == read(name)


@pytest.mark.parametrize("name", BUDGETS)
def test_a_released_budget_is_read_and_written_as_it_was(name: str) -> None:
    """What cannot be read would keep its host waiting."""
    known = budgets.known(read(name), host="contoso", modified=NOW)

    assert known.problem is None
    assert budgets.encode(known.budget) == read(name)


@pytest.mark.parametrize(
    "name", [*LEDGERS, *MANIFESTS, *HISTORIES, *STATUSES, *OVERVIEWS, *BUDGETS]
)
def test_golden_files_follow_their_schema(name: str) -> None:
    """The schemas describe what is really written."""
    jsonschema.validate(json.loads(read(name)), schema(name.partition("-")[0]))


def test_every_ledger_and_manifest_of_a_scan_follows_its_schema() -> None:
    """It is checked after every save, not only at the end."""
    world = World([NOW - 3 * HOUR + 31_000 * n for n in range(300)], page=9)

    world.run_until_idle()

    ledger, manifest = (
        jsonschema.Draft202012Validator(schema(it)) for it in ("ledger", "manifest")
    )
    assert len(world.ledgers.history) > 30
    for content in world.ledgers.history:
        ledger.validate(json.loads(content))
    for content in world.results.manifests.values():
        manifest.validate(json.loads(content))


def test_the_documents_are_made_from_the_types() -> None:
    """`python -m harness.schemas --write` was run after the last change."""
    differing = [
        path.name
        for path, text in schemas.wanted().items()
        if path.read_text(encoding="utf-8") != text
    ]
    assert differing == []


def test_a_ledger_of_a_newer_version_is_refused() -> None:
    """The error names its version, and the ledger is left as it is."""
    value = {**json.loads(read("ledger-1.json")), "version": 2, "min_reader": 2, "more": True}

    with pytest.raises(LedgerTooNew, match="version 2"):
        ledgers.decode(json.dumps(value).encode())


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b"{}", b'{"version": 1}', b"\xff\xfe", b'{"version": "1"}'],
)
def test_content_that_is_not_a_ledger_is_refused(content: bytes) -> None:
    """It is never mistaken for a scan that has not begun."""
    with pytest.raises(LedgerUnreadable, match="never reset"):
        ledgers.decode(content)


def test_a_ledger_with_an_unknown_field_is_refused() -> None:
    """The field could matter."""
    value = {**json.loads(read("ledger-1.json")), "surprise": 1}

    with pytest.raises(LedgerUnreadable, match="surprise"):
        ledgers.decode(json.dumps(value).encode())


def test_a_ledger_without_one_of_its_fields_is_refused() -> None:
    """An incomplete state is not a state."""
    value = json.loads(read("ledger-1.json"))
    del value["coverage"]

    with pytest.raises(LedgerUnreadable, match="coverage"):
        ledgers.decode(json.dumps(value).encode())


def test_a_manifest_with_an_unknown_field_is_refused() -> None:
    """The same holds for manifests."""
    value = {**json.loads(read("manifest-1.json")), "surprise": 1}

    with pytest.raises(msgspec.ValidationError, match="surprise"):
        manifests.decode(json.dumps(value).encode())


@pytest.mark.parametrize("version", [0, 2])
def test_a_manifest_of_another_version_is_refused(version: int) -> None:
    """It is refused even if it has this version's fields: they may mean something else."""
    value = {**json.loads(read("manifest-1.json")), "version": version}

    with pytest.raises(msgspec.ValidationError, match=f"version {version}, and"):
        manifests.decode(json.dumps(value).encode())


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[]", b"{}", b"<html>", b"\xff\xfe"])
def test_content_that_is_not_a_manifest_is_refused(content: bytes) -> None:
    """The error is the one that `verify` and `ledger rebuild` expect."""
    with pytest.raises(msgspec.DecodeError):
        manifests.decode(content)


def test_a_manifest_is_chained_to_the_one_before() -> None:
    """Its `previous` is a hash of bytes, here of the golden files."""
    first, second = read("manifest-1.json"), manifests.decode(read("manifest-1-empty.json"))

    assert (second.number, second.previous) == (2, manifests.digest(first))


def test_records_are_lines_of_the_part() -> None:
    """Each line is a record as the API sent it."""
    expected = [json.dumps(activity(NOW - HOUR + 7_000 * n)).encode() for n in range(11)]

    assert read("part-1.jsonl").splitlines() == expected


def test_a_released_part_is_read_as_it_was() -> None:
    """Every released version stays readable; its compressed bytes differ between processors."""
    part = read("part-1.jsonl.gz")

    records = list(stored_records(part))

    assert [record.line for record in records] == lines_of(part)
    assert [record.line for record in records] == read("part-1.jsonl").splitlines()


def schema(name: str) -> dict[str, Any]:
    """Return a schema as it is in the documentation."""
    text = (SCHEMAS / f"{name}-1.schema.json").read_text(encoding="utf-8")
    parsed: dict[str, Any] = json.loads(text)
    return parsed
