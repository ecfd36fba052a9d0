"""History: any batches give the same, it equals a recount, and it is bounded."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.audit import history as histories
from shared.core.audit.history import History, Hour, Look
from shared.core.model import FIRST_PASS, Counts, Doubt, Head, Loss
from shared.core.state import ledger as ledgers
from shared.core.state import levers
from shared.core.state import manifest as manifests
from shared.core.state.manifest import Manifest
from shared.scan.history import take_in
from tests.fakes import DAY, HOUR, MINUTE, NOW, InMemoryDerived, InMemoryResults, policy, status
from tests.parts import lines_of
from tests.pulling import pull
from tests.world import World

SWEEPS = (("sweep-2h", 2 * HOUR), ("sweep-24h", 24 * HOUR))


@pytest.fixture(scope="module")
def scanned() -> World:
    """Provide a scan of two days with sweeps."""
    world = World([NOW - 30 * HOUR + 411_000 * n for n in range(500)], page=20)
    how = policy(lookback=30 * HOUR, sweeps=SWEEPS)
    for _ in range(8):
        world.run_until_idle(how)
        world.clock.advance(3 * HOUR)
    world.api.truth = sorted([*world.api.truth, NOW - 90 * MINUTE, NOW + HOUR + 7])
    for _ in range(8):
        world.run_until_idle(how)
        world.clock.advance(3 * HOUR)
    return world


def contents(world: World) -> list[bytes]:
    """Return the bytes of all manifests in order."""
    return [world.results.manifests[number] for number in sorted(world.results.manifests)]


def folded(feed: list[bytes], history: History | None = None) -> History:
    """Return the history of a feed."""
    history = history or histories.empty("all")
    for content in feed:
        history = histories.taken(history, manifests.decode(content), content)
    return history


def through_storage(history: History) -> History:
    """Return a history as it is read back."""
    kept = histories.decode(histories.encode(history))
    assert kept is not None
    return kept


@given(cuts=st.lists(st.integers(min_value=0, max_value=2_000), max_size=6))
def test_any_batches_give_the_same(scanned: World, cuts: list[int]) -> None:
    """However many manifests each run takes in, and with a save in between."""
    feed = contents(scanned)
    history = histories.empty("all")
    begin = 0
    for cut in sorted({*(cut % len(feed) for cut in cuts), len(feed)}):
        history = through_storage(folded(feed[begin:cut], history))
        begin = cut

    assert histories.encode(history) == histories.encode(folded(feed))


def test_it_equals_a_recount_from_the_parts(scanned: World) -> None:
    """Records, late ones and bytes of each hour are those of the parts under that hour."""
    history = folded(contents(scanned))
    recounted: dict[int, tuple[int, int, int]] = {}
    for content in contents(scanned):
        manifest = json.loads(content)
        if manifest["part"]:
            packed = scanned.results.parts[manifest["part"]["name"]]
            lines = lines_of(packed)
            hour = manifest["start"] // HOUR * HOUR
            records, late, size = recounted.get(hour, (0, 0, 0))
            late += len(lines) if manifest["pass"] != FIRST_PASS else 0
            recounted[hour] = (records + len(lines), late, size + len(packed))

    told = {at: (it.records, it.late, it.bytes) for at, it in history.hours.items() if it.records}

    assert told == recounted
    assert sum(it[1] for it in recounted.values()) == 2


def test_each_pass_tells_when_it_last_covered_an_hour(scanned: World) -> None:
    """The first pass did so within two hours, the last sweep a day later."""
    history = folded(contents(scanned))
    hour = history.hours[NOW]

    assert hour.passes[FIRST_PASS].covered == hour.passes["sweep-24h"].covered == HOUR
    assert hour.passes[FIRST_PASS].at < NOW + 4 * HOUR
    assert hour.passes["sweep-24h"].at >= NOW + 25 * HOUR


def test_every_manifest_says_when_it_was_made(scanned: World) -> None:
    """In the order of the chain, and never before the time that it is about."""
    made = [manifests.decode(content) for content in contents(scanned)]

    assert [it.made for it in made] == sorted(it.made for it in made)
    assert all(it.made > it.bounds[1] for it in made)


def test_a_manifest_without_a_request_says_when_it_was_made() -> None:
    """Time is declared lost without a request; the time of that is known all the same."""
    world = World([])
    world.run(policy(lookback=3 * HOUR))
    world.clock.advance(40 * DAY)
    world.run(policy(lookback=3 * HOUR))
    lost = [it for it in map(manifests.decode, contents(world)) if it.lost]

    assert lost
    assert all(it.requests.count == 0 and it.made >= NOW + 40 * DAY for it in lost)


def manifest(start: int, **changes: object) -> tuple[Manifest, bytes]:
    """Return a manifest about ten minutes from `start` on."""
    world = World([])
    world.run(policy(lookback=HOUR))
    made = manifests.decode(world.results.manifests[1])
    values = {"start": start, "end": start + 10 * MINUTE, "number": 1, **changes}
    made = msgspec.structs.replace(made, **values)
    return made, manifests.encode(made)


def test_a_manifest_about_an_older_hour_is_counted_and_not_taken_in() -> None:
    """History goes back 35 days from the newest hour."""
    history = histories.taken(histories.empty("all"), *manifest(NOW))
    history = histories.taken(history, *manifest(NOW - 35 * DAY - HOUR, number=2))

    assert (history.older, history.through, list(history.hours)) == (1, 2, [NOW])


def test_hours_are_in_order_even_if_an_older_one_comes_later() -> None:
    """The hour 35 days before the newest is kept, too."""
    history = histories.empty("all")
    for number, hour in enumerate((NOW - HOUR, NOW, NOW - 35 * DAY)):
        history = histories.taken(history, *manifest(hour, number=number + 1))

    assert list(history.hours) == [NOW - 35 * DAY, NOW - HOUR, NOW]


def test_history_keeps_35_days() -> None:
    """What is older goes when newer hours come."""
    history = histories.empty("all")
    for day in range(60):
        history = histories.taken(history, *manifest(NOW + day * DAY, number=day + 1))

    assert list(history.hours) == [NOW + day * DAY for day in range(24, 60)]


def test_a_later_look_replaces_the_doubt_of_an_earlier_one() -> None:
    """Only within its own bounds."""
    doubt = (Doubt(start=NOW + 5 * MINUTE, end=NOW + 10 * MINUTE, reason="odd"),)
    history = histories.taken(histories.empty("all"), *manifest(NOW, doubt=doubt))
    assert history.hours[NOW].doubt == ((NOW + 5 * MINUTE, NOW + 10 * MINUTE),)

    history = histories.taken(history, *manifest(NOW, number=2, end=NOW + 7 * MINUTE))

    assert history.hours[NOW].doubt == ((NOW + 7 * MINUTE, NOW + 10 * MINUTE),)


def test_an_hour_remembers_what_was_lost_in_it() -> None:
    """And no pass covers that."""
    lost = Loss(start=NOW, end=NOW + 10 * MINUTE, reason="too old")
    history = histories.taken(histories.empty("all"), *manifest(NOW, lost=lost, covers=()))

    assert history.hours[NOW].lost == ((NOW, NOW + 10 * MINUTE),)
    assert history.hours[NOW].passes == {}


def test_an_hour_joins_what_was_lost_in_it() -> None:
    """A later look at other time does not change it."""
    history = histories.empty("all")
    for number in range(4):
        start = NOW + number * 10 * MINUTE
        lost = Loss(start=start, end=start + 10 * MINUTE, reason="too old") if number < 3 else None
        history = histories.taken(history, *manifest(start, number=number + 1, lost=lost))

    assert history.hours[NOW].lost == ((NOW, NOW + 30 * MINUTE),)


def test_an_hour_sums_up_its_manifests() -> None:
    """Requests, manifests, and late records by how late they were."""
    history = histories.empty("all")
    for number, (requests, lateness) in enumerate([(2, {"1h": 1, "1d": 2}), (5, {"1d": 3})]):
        sent = manifests.Requests(count=requests, first=NOW, last=NOW)
        stated = manifest(NOW, number=number + 1, requests=sent, lateness=lateness)
        history = histories.taken(history, *stated)

    hour = history.hours[NOW]
    assert (hour.requests, hour.manifests, hour.lateness) == (7, 2, {"1h": 1, "1d": 5})


def test_an_hour_tells_what_each_sweep_found_in_it() -> None:
    """Besides what all of them found; one that found nothing is not listed."""
    history = histories.empty("all")
    for number, (name, late) in enumerate(
        [("sweep-2h", 2), ("sweep-24h", 3), ("sweep-2h", 4), ("sweep-72h", 0)]
    ):
        found = {"pass_name": name, "counts": Counts(records=late, late=late)}
        history = histories.taken(history, *manifest(NOW, number=number + 1, **found))

    assert history.hours[NOW].late_by_pass == {"sweep-2h": 6, "sweep-24h": 3}
    assert history.hours[NOW].late == 9


def test_a_history_names_the_manifest_up_to_which_it_goes() -> None:
    """By its number and its hash; so does what is stored, in one line."""
    made, content = manifest(NOW, number=7)

    history = histories.taken(histories.empty("all"), made, content)

    assert (history.first, history.through) == (7, 7)
    assert (history.sha256, history.made) == (manifests.digest(content), made.made)
    assert histories.encode(history).splitlines(keepends=True)[0].endswith(b"}\n")
    assert histories.encode(history).count(b"\n") == 1


def test_a_history_keeps_the_number_of_its_first_manifest() -> None:
    """Whatever follows."""
    history = histories.taken(histories.empty("all"), *manifest(NOW, number=7))

    history = histories.taken(history, *manifest(NOW, number=8))

    assert (history.first, history.through) == (7, 8)


def test_a_history_fits_the_ledger_whose_chain_it_is_of() -> None:
    """It may be behind, and never ahead."""
    made, content = manifest(NOW, number=7)
    history = histories.taken(histories.empty("all"), made, content)
    ledger = ledgers.begin(policy(), NOW)

    def fits(number: int, sha256: str | None, **changes: object) -> bool:
        head = Head(number=number, sha256=sha256)
        return histories.fits(history, msgspec.structs.replace(ledger, head=head, **changes))

    assert fits(7, history.sha256)
    assert fits(8, "0" * 64)
    assert not fits(7, "0" * 64)
    assert not fits(6, history.sha256)
    assert not fits(7, history.sha256, scan="other")


def test_an_hour_that_is_partly_covered_says_how_much() -> None:
    """As the manifest's own `complete` says."""
    complete = {FIRST_PASS: ((NOW, NOW + 20 * MINUTE),)}
    history = histories.taken(histories.empty("all"), *manifest(NOW, complete=complete, made=NOW))

    assert history.hours[NOW].passes == {FIRST_PASS: Look(covered=20 * MINUTE, at=NOW)}


def take(world: World, derived: InMemoryDerived) -> History:
    """Take in what is new, as a run does after it has released its claim."""
    ledger = ledgers.decode(world.ledgers.load().content or b"")
    return take_in(ledger, world.results, derived, world.clock)


def test_a_run_takes_in_all_that_is_new_and_saves_it(scanned: World) -> None:
    """The next run goes on from there."""
    derived = InMemoryDerived()

    history = take(scanned, derived)

    assert histories.encode(history) == histories.encode(folded(contents(scanned)))
    assert derived.blobs["scan=all/history.json"][0] == histories.encode(history)
    assert derived.blobs["scan=all/history.json"][2] == history.through


def test_a_history_of_another_chain_is_made_again(scanned: World) -> None:
    """A number beyond the chain's head, or another hash at its head."""
    derived = InMemoryDerived()
    right = take(scanned, derived)
    for wrong in (
        msgspec.structs.replace(right, through=right.through + 1),
        msgspec.structs.replace(right, sha256="0" * 64),
        msgspec.structs.replace(right, version=2),
    ):
        derived.blobs["scan=all/history.json"] = (histories.encode(wrong), 1, 1)
        assert take(scanned, derived) == right


def test_of_two_runs_at_once_one_drops_its_work(scanned: World) -> None:
    """What is stored is never half of each, and never older than it was."""

    class Overtaken(InMemoryDerived):
        def save(self, name: str, content: bytes, *, etag: str | None, manifest: int) -> bool:
            self.blobs.setdefault(name, (b"theirs", 1, 10**6))
            return super().save(name, content, etag=etag, manifest=manifest)

    derived = Overtaken()

    take(scanned, derived)

    assert derived.blobs["scan=all/history.json"][0] == b"theirs"


def test_a_run_stops_taking_in_after_five_seconds(scanned: World) -> None:
    """What is left is for the next runs, which end with the same history."""

    class Slow(InMemoryResults):
        def manifest(self, number: int) -> bytes | None:
            scanned.clock.monotonic += 100
            return scanned.results.manifests.get(number)

    derived = InMemoryDerived()
    ledger = ledgers.decode(scanned.ledgers.load().content or b"")
    first = take_in(ledger, Slow(), derived, scanned.clock)
    assert 0 < first.through < ledger.head.number

    last = first
    for _ in range(200):
        last = take_in(ledger, Slow(), derived, scanned.clock)

    assert histories.encode(last) == histories.encode(folded(contents(scanned)))


def test_after_a_deletion_the_start_is_found_by_when_manifests_were_made() -> None:
    """A manifest that was made before every hour that is kept is not read."""
    made = {number: NOW + number * HOUR for number in range(1, 1_001)}
    asked: list[int] = []

    def look(number: int) -> int | None:
        asked.append(number)
        return made[number] if number > 50 else None

    assert histories.first_made_since(NOW + 400 * HOUR, 1_000, look) == 400
    assert len(asked) <= 11
    assert histories.first_made_since(NOW, 1_000, look) == 51


def test_a_history_that_is_made_again_has_the_same_hours() -> None:
    """Only how many manifests were passed over may differ."""
    world = World([])
    feed = []
    for day in range(60):
        one, _ = manifest(NOW + day * DAY, number=day + 1, made=NOW + day * DAY + HOUR)
        complete = {FIRST_PASS: ((NOW, NOW + day * DAY + 10 * MINUTE),)}
        feed.append(manifests.encode(msgspec.structs.replace(one, complete=complete)))
    world.run(policy(lookback=HOUR))
    world.results.manifests = dict(enumerate(feed, start=1))
    ledger = ledgers.decode(world.ledgers.load().content or b"")
    head = msgspec.structs.replace(ledger.head, number=60, sha256=manifests.digest(feed[-1]))
    ledger = msgspec.structs.replace(ledger, head=head)

    again = take_in(ledger, world.results, InMemoryDerived(), world.clock)

    whole = folded(feed)
    assert again.first > 1
    assert (again.hours, again.newest, again.through) == (whole.hours, whole.newest, 60)


def test_a_decision_is_taken_in_without_an_hour() -> None:
    """It is about no time; the numbers go on."""
    world = World([NOW - 90 * MINUTE])
    world.run()
    pull(world, lambda ledger, order: levers.backfilled(ledger, order, policy(), to=NOW - 4 * HOUR))
    before = folded(contents(world))
    world.api.always = lambda _: status(500)
    world.run()

    after = folded(contents(world))

    assert after.through == before.through + 1
    assert (after.hours, after.newest, after.older) == (before.hours, before.newest, before.older)
    assert manifests.decode(contents(world)[-1]).decision


@pytest.mark.parametrize("complete_until", [NOW - HOUR, NOW + HOUR])
def test_history_reaches_back_from_the_newest_time_that_the_head_tells_of(
    complete_until: int,
) -> None:
    """That is the end of its slice, or of what a pass has covered."""
    complete = {FIRST_PASS: ((NOW - DAY, complete_until),), "sweep-2h": ((NOW - DAY, NOW - HOUR),)}
    head, _ = manifest(NOW - 10 * MINUTE, complete=complete)

    reach = 36 * DAY + HOUR

    assert histories.reaches_back_to(head) == max(NOW, complete_until) - reach


def test_where_a_decision_is_all_there_is_history_reaches_back_from_when_it_was_made() -> None:
    """It says nothing else about time."""
    world = World([])
    world.api.always = lambda _: status(500)
    world.run()
    pull(world, lambda ledger, order: levers.backfilled(ledger, order, policy(), to=NOW - 4 * HOUR))
    world.run()

    manifest = manifests.decode(contents(world)[-1])

    assert manifest.made - histories.reaches_back_to(manifest) == 36 * DAY + HOUR


def test_the_usual_number_of_records_counts_what_the_first_pass_has_covered() -> None:
    """Of an hour that is half covered only that half counts; no late record, and no lost hour."""
    whole = Hour(records=100, late=10, passes={FIRST_PASS: Look(covered=HOUR, at=NOW)})
    half = Hour(records=30, passes={FIRST_PASS: Look(covered=HOUR // 2, at=NOW)})
    lost = Hour(records=7, lost=((NOW, NOW + HOUR),))
    hours = {NOW: whole, NOW + HOUR: half, NOW + 2 * HOUR: lost}
    history = msgspec.structs.replace(histories.empty("all"), hours=hours)

    assert histories.records_per_hour(history) == 80
    assert histories.records_per_hour(histories.empty("all")) == 0


@pytest.mark.parametrize(
    "content",
    [
        b"?",
        b"{}",
        b'{"version":2,"scan":"all"}',
        b'{"version":1,"scan":"\xff"}',
        b'{"surprise":' + b"[" * 100_000,
    ],
)
def test_a_history_that_cannot_be_read_is_made_again(content: bytes) -> None:
    """It is derived, so nothing is lost."""
    assert histories.decode(content) is None
