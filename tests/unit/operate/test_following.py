"""A query followed to its end, on fakes."""

import json
from typing import Any

import pytest

from shared.core.api.records import Record
from shared.core.errors import QueryFailed, SourceRefused, TokenRefused
from shared.core.model import Answer, Direction, NoAnswer
from shared.operate.following import Query
from shared.operate.querying import Asker, Found, follow
from tests.displays import Said
from tests.fakes import DAY, NOW, FakeApi, FakeClock, activity, page_of, status

TRUTH = [NOW - DAY + 7_000 * n for n in range(47)]


class Asking:
    """One query against the fake API, with what it wrote and said and how long it waited."""

    def __init__(self, truth: list[int] = TRUTH) -> None:
        self.clock = FakeClock()
        self.api = FakeApi(truth, clock=self.clock)
        self.said = Said()
        self.records: list[Record] = []

    def follow(self, direction: Direction = "asc", per_minute: int = 1000) -> Found:
        """Ask for the last two days."""
        filters = {"date": {"gte": NOW - 2 * DAY, "lte": NOW}, "service": {"eq": [20893]}}
        query = Query(filters=filters, axis="date", direction=direction, limit=500)
        asker = Asker(self.api, self.clock, self.said, per_minute=per_minute)
        return follow(query, asker, self.records.extend, self.said)

    def times(self) -> list[int | None]:
        """Return the event times of the written records, in order."""
        return [record.timestamp for record in self.records]


def empty_page(**more: Any) -> Answer:
    """Return a page without records."""
    return page_of({"data": [], "hasNext": False, **more})


def more_at(*records: dict[str, Any] | None, **filters: Any) -> Answer:
    """Return a page that continues with these filters."""
    return page_of({"data": [*records], "hasNext": True, "nextQueryFilters": filters})


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_every_page_is_followed(direction: Direction) -> None:
    """All activities are written once, in the requested order."""
    asking = Asking()

    found = asking.follow(direction)

    assert asking.times() == (TRUTH if direction == "asc" else TRUTH[::-1])
    assert (found.records, found.pages) == (47, 5)


def test_the_request_is_the_documented_one() -> None:
    """Filters, scan mode, limit and order are sent as they were given."""
    asking = Asking([])

    asking.follow("desc")

    assert asking.api.asked == [
        {
            "filters": {"date": {"gte": NOW - 2 * DAY, "lte": NOW}, "service": {"eq": [20893]}},
            "isScan": True,
            "limit": 500,
            "sortField": "date",
            "sortDirection": "desc",
        }
    ]


def test_a_continuation_goes_back_verbatim() -> None:
    """Not a byte of nextQueryFilters changes: number forms and spaces stay."""
    asking = Asking()
    verbatim = f'{{"x": 1.50e2,  "date":{{"gte": {NOW - 5}}}}}'
    body = f'{{"data": [], "hasNext": true, "nextQueryFilters": {verbatim}}}'
    asking.api.replies = {1: status(200, body), 2: empty_page()}

    asking.follow()

    assert f'"filters":{verbatim},'.encode() in asking.api.bodies[1]


def test_a_record_on_two_pages_is_written_once() -> None:
    """A record at the cursor comes again if the API does not drop the page's tail."""
    asking = Asking()
    first, second, third = activity(NOW - 9), activity(NOW - 7), activity(NOW - 7, 2)
    asking.api.replies = {
        1: more_at(first, second, date={"gte": NOW - 7}),
        2: page_of({"data": [second, third], "hasNext": False}),
    }

    found = asking.follow()

    assert [record.id for record in asking.records] == [first["_id"], second["_id"], third["_id"]]
    assert found.repeated == 1


def test_an_activity_without_a_usable_time_is_written_once_however_late_it_comes_again() -> None:
    """Its place is not known, so the cursor says nothing about it."""
    asking = Asking()
    odd = {"_id": "odd", "timestamp": None, "created": NOW}
    asking.api.replies = {
        1: more_at(activity(NOW - 9), odd, date={"gte": NOW - 7}),
        2: more_at(activity(NOW - 7), date={"gte": NOW - 5}),
        3: page_of({"data": [odd, activity(NOW - 5)], "hasNext": False}),
    }

    found = asking.follow()

    assert [record.id for record in asking.records].count("odd") == 1
    assert (found.records, found.repeated) == (4, 1)


def test_a_null_is_left_out_and_reported() -> None:
    """The other records are written, and the query continues."""
    asking = Asking()
    asking.api.replies = {
        1: more_at(activity(NOW - 9), None, date={"gte": NOW - 7}),
        2: page_of({"data": [activity(NOW - 7)], "hasNext": False}),
    }

    found = asking.follow()

    assert (found.records, found.nulls) == (2, 1)
    assert "1 shown as null and missing" in str(found)


def test_a_cursor_may_be_a_whole_number_in_any_notation() -> None:
    """The query compares it as a number."""
    asking = Asking()
    body = page_of({"data": [activity(NOW - 9)], "hasNext": True}).body[:-1]
    body += b', "nextQueryFilters": {"date": {"gte": %d.0}}}' % (NOW - 7)
    asking.api.replies = {1: status(200, body.decode()), 2: empty_page()}

    assert asking.follow().pages == 2


STILL = NOW - 2 * DAY

LOSSES = [
    (more_at(activity(STILL), date={"gte": STILL}), "instead of moving on"),
    (more_at(activity(STILL), date={"gte": STILL - 1}), "instead of moving on"),
    (more_at(activity(STILL), created={"gte": NOW}), r"no date\.gte"),
    (more_at(activity(STILL), date={"gte": "soon"}), r"no date\.gte"),
    (empty_page(total=12), "counts 12"),
]


@pytest.mark.parametrize(("answer", "why"), LOSSES)
def test_an_answer_that_would_lose_activities_ends_the_query(answer: Answer, why: str) -> None:
    """A retry would get the same answer, so the query fails at once with the reason."""
    asking = Asking()
    asking.api.replies = {1: answer}

    with pytest.raises(QueryFailed, match=why):
        asking.follow()

    assert len(asking.api.asked) == 1


NO_PAGES = [
    status(500, '{"detail": "oops"}'),
    status(200, "{}"),
    status(200, "<html>sign in</html>"),
    status(200, '{"data": null, "hasNext": false}'),
    status(200, '{"data": [], "hasNext": true}'),
    status(200, '{"data": []}'),
    NoAnswer(kind="timeout", detail="no complete answer in 120 s"),
]


@pytest.mark.parametrize("answer", NO_PAGES)
def test_repeated_answers_that_are_not_pages_end_the_query(answer: Answer | NoAnswer) -> None:
    """It fails after five tries with growing pauses and never takes silence for the end."""
    asking = Asking()
    asking.api.always = lambda _: answer

    with pytest.raises(QueryFailed, match="no page 5 times in a row"):
        asking.follow()

    assert sum(asking.clock.slept) == 2_000 + 4_000 + 8_000 + 16_000


@pytest.mark.parametrize("answer", NO_PAGES)
def test_a_passing_fault_costs_nothing(answer: Answer | NoAnswer) -> None:
    """The query requests the same page again."""
    asking = Asking()
    asking.api.replies = {2: answer, 3: answer}

    asking.follow()

    assert asking.times() == TRUTH


def test_a_throttle_is_waited_out() -> None:
    """The wait is as long as the API says, and is reported."""
    asking = Asking()
    asking.api.replies = {2: status(429, retry_after="48")}

    asking.follow()

    assert asking.times() == TRUTH
    assert 48_000 <= sum(asking.clock.slept) < 49_000
    assert "the API throttles this tenant (429): waiting for 48 s" in asking.said.lines


def test_an_endless_throttle_ends_the_query() -> None:
    """Each wait is twice as long; after half an hour in all, a person must know."""
    asking = Asking()
    asking.api.always = lambda _: status(429, retry_after="1")

    with pytest.raises(QueryFailed, match="throttled 11 requests in a row"):
        asking.follow()

    assert sum(asking.clock.slept) == sum(1000 * 2**it for it in range(10))


def test_requests_keep_the_pace() -> None:
    """No minute has more requests than allowed."""
    asking = Asking()

    asking.follow(per_minute=2)

    assert len(asking.api.asked) == 5
    assert sum(asking.clock.slept) >= 2 * 60_000


def test_an_expired_token_is_renewed_once() -> None:
    """A long query outlives its token; a second refusal in a row is final."""
    asking = Asking()
    asking.api.renewable = True
    asking.api.replies = {3: status(401), 5: status(401), 6: status(401)}

    with pytest.raises(TokenRefused):
        asking.follow()

    assert asking.api.renewed == 2


def test_a_refusal_ends_the_query_at_once() -> None:
    """A second try cannot help against missing rights."""
    asking = Asking()
    asking.api.always = lambda _: status(403)

    with pytest.raises(SourceRefused, match=r"investigation\.read"):
        asking.follow()

    assert len(asking.api.asked) == 1


def test_records_are_the_bytes_of_the_answer() -> None:
    """Escapes, number forms and key order stay as they came."""
    asking = Asking()
    raw = r'{"b": "\u00e9", "a": 1.0e3, "_id": "x", "timestamp": 5, "created": 6}'
    asking.api.replies = {1: status(200, f'{{"data": [{raw}], "hasNext": false}}')}

    asking.follow()

    assert [record.line for record in asking.records] == [raw.encode()]
    assert json.loads(raw)["a"] == 1000


def test_progress_has_the_rate_what_is_left_and_an_estimate() -> None:
    """The API's count of what matches says what is left; it is only an estimate."""
    asking = Asking()
    asking.api.latency = 6_000

    asking.follow()

    pages = [line for line in asking.said.lines if "on" in line]
    assert pages[0] == (
        "10 activities on 1 page, 100 a minute, about 37 to come by the API's count, "
        "about 23 s left"
    )
    assert "to come" not in pages[-1]
