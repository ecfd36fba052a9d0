"""A transcript holds nothing that an activity, a tenant or a server says.

Markers are planted wherever an answer can say something. They are texts and numbers that a
transcript never holds by itself.
"""

import json
from collections.abc import Iterator
from typing import Any, get_args

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.core.audit.doctor import transcripts, words
from shared.core.audit.doctor.probing import Probing
from shared.core.audit.doctor.transcripts import Transcript
from shared.core.model import Answer, NoAnswer, Request
from tests.examined import examined, probed
from tests.fakes import NOW, FakeClock, policy
from tests.unit.core.audit.doctor.building import knowing, saw
from tests.unit.core.audit.doctor.building import page as answered

MARK = "pLaNtEd"
NUMBER = 7_777_777_777

ALLOWED = {
    *(name for part in vars(words).values() for name in get_args(part) if isinstance(name, str)),
    *Transcript.__struct_fields__,
    *words.Exchange.__struct_fields__,
    *words.Facts.__struct_fields__,
    *(
        name
        for kind in words.Facts.__annotations__.values()
        for part in (kind, *get_args(kind))
        for name in get_args(part)
        if isinstance(name, str)
    ),
    "asc",
    "desc",
    "date",
    "created",
    "1.2.3",
}
"""Every text that a transcript may hold: names of the format, and names from its lists."""


def texts(value: object) -> Iterator[str]:
    """Yield every text in a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (text for item in value for text in texts(item))
    elif isinstance(value, dict):
        yield from value
        yield from (text for item in value.values() for text in texts(item))


def written(probing: Probing) -> str:
    """Return the transcript of an examination as text."""
    return transcripts.encode(transcripts.transcript(probing, "1.2.3")).decode()


def assert_anonymous(account: str) -> None:
    """Assert that a transcript holds no marker and no text that is not on a list."""
    assert MARK.lower() not in account.lower()
    assert str(NUMBER) not in account
    assert set(texts(json.loads(account))) <= ALLOWED


def record(at: int, number: int) -> dict[str, Any]:
    """Return an activity whose every text and key of its own is marked."""
    return {
        "_id": f"{MARK}-{number}",
        "timestamp": at,
        "created": at + 200_000 + number % 7 * 90_000,
        "tenantId": NUMBER,
        "aadTenantId": MARK,
        "appName": MARK,
        "eventTypeName": f"{MARK}-{number % 2}",
        "description": f"{MARK} did something to {MARK}@contoso.example",
        "user": {"userName": MARK, MARK: MARK},
        "entityData": {"0": {"id": MARK, MARK: [MARK]}, "1": None},
        "rawDataJson": {MARK: {f"{MARK}-nested": [MARK, {MARK: MARK}]}},
        "device": {"clientIP": MARK},
        "severity": None,
        "confidenceLevel": 1.5,
        "internals": [MARK],
        "classifications": [],
        "eventRouting": True,
        MARK: MARK,
        f"{MARK}Id": NUMBER,
    }


def page(request: Request, times: list[int]) -> dict[str, Any]:
    """Return a page of an API that marks everything that it may say."""
    asked = json.loads(request.body)
    bounds = asked["filters"].get("date") or asked["filters"]["created"]
    found = [at for at in times if bounds["gte"] <= at <= bounds["lte"]]
    if asked.get("sortDirection", "desc") == "desc":
        found.reverse()
    shown = found[:5]
    answer: dict[str, Any] = {
        "data": [record(at, at % 1_000) for at in shown],
        "hasNext": len(found) > len(shown),
        "total": len(found),
        MARK: MARK,
        "isCached": MARK,
        "max": MARK,
        "moreThanTotal": MARK,
    }
    if answer["hasNext"]:
        answer["nextQueryFilters"] = {
            **asked["filters"],
            "date": {**bounds, "gte": found[5], MARK: MARK},
            MARK: {"eq": [MARK]},
            f"{MARK}-scalar": MARK,
        }
    return answer


HEADERS = frozenset({"date", "content-type", "set-cookie", f"x-{MARK}".lower()})


def marked(body: bytes, status: int = 200) -> Answer:
    """Return an answer whose every header is marked."""
    return Answer(
        status=status,
        body=body,
        date=NOW,
        retry_after=MARK,
        content_type=f"text/{MARK}",
        location=f"https://{MARK}.example/{MARK}",
        headers=HEADERS,
    )


TIMES = [NOW - 9 * 86_400_000 + 3_600_000 * number + 123 for number in range(215)]


def how() -> Any:  # noqa: ANN401 - a policy
    """Return a policy whose every text is marked."""
    return policy(
        scan="all",
        filters={MARK: {"eq": [MARK]}, "service": {"eq": [NUMBER]}},
        api=f"{MARK}.example",
    )


def test_nothing_of_an_activity_survives() -> None:
    """Markers are in every text, key, header, continuation and setting."""
    asked: list[bytes] = []

    def ask(request: Request) -> Answer:
        asked.append(request.body)
        return marked(json.dumps(page(request, TIMES)).encode())

    probing = probed(ask, FakeClock(NOW), how())

    account = written(probing)
    assert_anonymous(account)
    assert sum(it.exchange.records for it in probing.seen) > 40
    assert any(MARK.encode() in body for body in asked)
    parsed = json.loads(account)
    assert parsed["undocumented"] == 2
    assert parsed["fields"]["severity"] == ["null"]
    assert parsed["fields"]["internals"] == ["list"]
    assert parsed["fields"]["eventRouting"] == ["boolean"]
    assert parsed["fields"]["confidenceLevel"] == ["number"]
    assert {it["other_headers"] for it in parsed["exchanges"]} == {1}
    assert {it["other_members"] for it in parsed["exchanges"]} == {1}


def test_nothing_of_an_error_survives() -> None:
    """Bodies of errors, their headers and descriptions are counted and not kept."""
    detail = json.dumps({"detail": MARK, "correlation_id": MARK, MARK: MARK}).encode()
    replies: list[Answer | NoAnswer] = [
        marked(detail, 429),
        marked(f"<html>{MARK}</html>".encode(), 503),
        marked(f'{{"data": [{{"_id": "{MARK}"'.encode()),
        NoAnswer(kind="connection", detail=MARK),
        marked(detail, 400),
        marked(detail, 403),
    ]
    waiting = list(replies)

    probing = probed(lambda _: waiting.pop(0), FakeClock(NOW), how())

    account = written(probing)
    assert_anonymous(account)
    assert [it["result"] for it in json.loads(account)["exchanges"]] == [
        "throttled",
        "fault",
        "fault",
        "no answer",
        "not accepted",
        "refused",
    ]


def test_nothing_of_a_simulated_tenant_survives() -> None:
    """Its people, places and texts are those of real activities."""
    account = written(examined())

    assert set(texts(json.loads(account))) <= ALLOWED


words_of_a_stranger = st.text(min_size=1, max_size=12).map(lambda it: f"{MARK}{it}")
json_values = st.recursive(
    st.none() | st.booleans() | st.just(NUMBER) | words_of_a_stranger,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(words_of_a_stranger, inner, max_size=3)
    ),
    max_leaves=8,
)
known = st.sampled_from([*words.FIELDS, *words.MEMBERS])


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.dictionaries(known | words_of_a_stranger, json_values, max_size=6), max_size=3),
    st.dictionaries(known | words_of_a_stranger, json_values, max_size=4),
    json_values,
)
def test_nothing_of_any_answer_survives(
    records: list[dict[str, Any]], envelope: dict[str, Any], following: object
) -> None:
    """Whatever shape the records, the envelope and the continuation have."""
    body = {"hasNext": bool(following), "nextQueryFilters": following, **envelope, "data": records}
    answer = marked(json.dumps(body).encode())

    account = written(probed(lambda _: answer, FakeClock(NOW), how()))

    lowered = account.lower()
    assert MARK.lower() not in lowered
    assert set(texts(json.loads(account))) <= ALLOWED


def test_each_documented_field_is_told_with_all_its_types() -> None:
    """In the order of the alphabet, so that two transcripts can be compared."""
    values: tuple[object, ...] = ("text", None, True, 1, 1.5, [], {})
    seen = saw("ascending", answered({"severity": it} for it in values))

    account = transcripts.transcript(knowing(seen), "1.2.3")

    types = ("boolean", "list", "null", "number", "object", "text", "whole number")
    assert account.fields == {"severity": types}


def test_an_account_of_nothing_has_no_fields() -> None:
    """Neither documented ones nor others."""
    account = transcripts.transcript(knowing(), "1.2.3")

    assert (account.exchanges, account.fields, account.undocumented) == ((), {}, 0)


def test_a_transcript_is_written_as_its_type_reads_it() -> None:
    """It is indented, so that a person can read it before it is sent to anybody."""
    account = written(examined())

    assert account.startswith('{\n  "version": 1')
    assert msgspec.json.decode(account, type=Transcript).exchanges
