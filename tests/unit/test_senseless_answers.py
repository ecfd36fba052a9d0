"""Answers in unseen forms: each is a fault of its slice and never of the run."""

import json
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.core.errors import SourceRefused, StoreUnavailable, TokenRefused
from shared.core.model import Answer, Block, NoAnswer
from shared.core.state.report import encode, report_fields
from tests.fakes import HOUR, MINUTE, NOW, InMemoryLedger, InMemoryResults, policy, status
from tests.world import World

ORIGIN = NOW - 3 * HOUR
END = NOW - 10 * MINUTE
EMPTY = b'{"data":[],"hasNext":false,"total":0}'
LATIN = '{"detail":"Service indisponible: accès refusé"}'.encode("latin-1")
DEEP = b"[" * 100_000
RECORD = b'{"_id":"a","timestamp":%d,"created":%d}' % (NOW - HOUR, NOW - HOUR)


def page(records: bytes = b"", after: bytes = b'"hasNext":false,"total":0') -> bytes:
    """Return a page with these bytes as records and these after them."""
    return b'{"data":[%b],%b}' % (records, after)


BODIES = {
    "latin": LATIN,
    "deep": DEEP,
    "deep after a key": b'{"a":' + DEEP,
    "deep record": page(b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}"),
    "deep total": page(after=b'"hasNext":false,"total":' + b"[" * 5_000 + b"]" * 5_000),
    "deep continuation": page(
        after=b'"hasNext":true,"nextQueryFilters":{"date":' + b"[" * 5_000 + b"]" * 5_000 + b"}"
    ),
    "bad byte in total": page(after=b'"hasNext":false,"total":"\xff"'),
    "bad byte in hasNext": page(after=b'"hasNext":\xff'),
    "bad byte in the continuation": page(
        after=b'"hasNext":true,"nextQueryFilters":{"date":{"gte":1,"x":"\xff"}}'
    ),
    "bad byte in a key": b'{"da\xffta":[],"hasNext":false}',
    "bad byte alone": b"\xff",
    "surrogate in the continuation": page(
        after=b'"hasNext":true,"nextQueryFilters":{"a":"\\ud800"}'
    ),
    "5,000 digits in total": page(RECORD, after=b'"hasNext":"","total":' + b"1" * 5_000),
    "5,000 digits in the cursor": page(
        after=b'"hasNext":true,"nextQueryFilters":{"date":{"gte":' + b"1" * 5_000 + b"}}"
    ),
    "infinite total": page(after=b'"hasNext":"","total":1e999'),
    "UTF-16": EMPTY.decode().encode("utf-16"),
    "null bytes": b"\0" * 100,
    "escapes": b"\x1b[2J\r\n{",
}


@pytest.mark.parametrize("code", [200, 500, 503])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_senseless_body_is_a_fault_of_its_slice(body: bytes, code: int) -> None:
    """The slice backs off with one line of text, the claim is free, and the slice recovers."""
    world = World([NOW - 2 * HOUR])
    world.api.replies[1] = Answer(status=code, body=body)

    world.run(policy(sweeps=()))

    assert world.tally.faults == 1
    assert (world.tally.last_fault or "").isprintable()
    assert world.ledgers.value()["claimed_until"] == 0
    assert not [it for it in world.tally.warnings if "unexpected" in it]
    world.run_until_idle(policy(sweeps=()))
    world.assert_complete(ORIGIN, END)


@pytest.mark.parametrize("code", [301, 400, 403, 404])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_refusal_with_a_senseless_body_is_a_refusal(body: bytes, code: int) -> None:
    """Its text is shown on one line, as far as it can be read."""
    world = World([])
    world.api.always = lambda _: Answer(status=code, body=body, location="x\r\n" * 9_000)

    with pytest.raises(SourceRefused, match=str(code)) as refused:
        world.run()

    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 2_000
    assert world.ledgers.value()["claimed_until"] == 0


def test_a_body_in_another_encoding_is_shown_as_far_as_it_can_be_read() -> None:
    """A gateway may answer in its operator's language."""
    world = World([])
    world.api.always = lambda _: Answer(status=503, body=LATIN)

    world.run()

    assert world.tally.last_fault == "HTTP 503: Service indisponible: acc\ufffds refus\ufffd"


def test_a_record_with_a_bad_byte_is_stored_with_all_its_bytes() -> None:
    """The page is still valid; a bad byte outside the records makes it a fault."""
    world = World([])
    bad = RECORD.replace(b'"a"', b'"a\xff"')
    world.api.replies[1] = Answer(status=200, body=page(bad))

    world.run(policy(slice_length=HOUR, settle=0, sweeps=(), lookback=HOUR))

    assert world.tally.counts.irregular == 1


class Raises(InMemoryResults):
    """Storage whose adapter has a defect that affects one slice."""

    def __init__(self, problem: Exception) -> None:
        super().__init__()
        self.problems = [problem]

    def stage_block(self, part: str, block: Block, content: bytes) -> None:
        """Fail once."""
        if self.problems:
            raise self.problems.pop()
        super().stage_block(part, block, content)


DEFECTS = [
    ValueError("no\r\nX-Forged: header \ud800"),
    RecursionError("too deep"),
    AssertionError(),
    KeyError("é"),
    OverflowError("int too large to convert"),
]


@pytest.mark.parametrize("problem", DEFECTS, ids=lambda it: type(it).__name__)
def test_an_unexpected_error_of_a_step_is_a_fault_of_its_slice(problem: Exception) -> None:
    """A warning names the error and where it was raised, and the answer is kept."""
    world = World([NOW - 2 * HOUR, NOW - HOUR])
    world.results = Raises(problem)

    world.run()

    (warning,) = world.tally.warnings
    assert warning.startswith(f"unexpected {type(problem).__name__} in test_senseless_answers.py:")
    assert warning.endswith("see docs/runbook.md#unexpected-faults")
    assert warning.isprintable()
    ((content, about),) = world.ledgers.quarantine.values()
    assert json.loads(content)["hasNext"] is False
    assert about["fault"].isascii()
    assert about["fault"].isprintable()
    assert world.ledgers.value()["claimed_until"] == 0
    world.run_until_idle()
    world.assert_complete(ORIGIN, END)


def test_an_unexpected_error_before_an_answer_does_not_show_its_text() -> None:
    """Libraries repeat what they were given, and that may be the token."""
    world = World([NOW - HOUR])
    world.api.replies[1] = ValueError("Invalid header value b'Bearer secret'")

    world.run()

    (warning,) = world.tally.warnings
    assert "unexpected ValueError" in warning
    assert "secret" not in warning + str(world.ledgers.content)
    assert world.ledgers.quarantine == {}


def test_an_error_in_every_step_ends_the_run_as_three_faults_do() -> None:
    """A defect of this program must not use up the tenant's requests."""
    world = World([])
    world.api.always = lambda _: ZeroDivisionError()

    assert world.run() == "faults"

    assert len(world.api.asked) == 3


@pytest.mark.parametrize("problem", [MemoryError(), StoreUnavailable("down"), TokenRefused("no")])
def test_an_error_outside_any_slice_ends_the_run_and_frees_the_claim(
    problem: Exception,
) -> None:
    """The ledger's last state is known, so the next run may begin at once."""
    world = World([])
    world.api.replies[2] = problem

    with pytest.raises(type(problem)):
        world.run()

    assert world.ledgers.value()["claimed_until"] == 0
    assert world.run() == "idle"


class Unsure(InMemoryLedger):
    """A ledger whose third save succeeds although the answer is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.saves = 0

    def save(self, content: bytes, *, etag: str | None) -> str:
        """Save, and lose one answer."""
        self.saves += 1
        saved = super().save(content, etag=etag)
        if self.saves == 3:
            raise StoreUnavailable("no answer")
        return saved


def test_a_run_that_does_not_know_what_is_saved_leaves_the_ledger_alone() -> None:
    """Its claim expires; a save against a guess could undo another run's work."""
    world = World([])
    world.ledgers = Unsure()

    with pytest.raises(StoreUnavailable):
        world.run()

    assert world.ledgers.saves == 3
    assert world.ledgers.value()["claimed_until"] > world.clock.now()


class Keepless(InMemoryLedger):
    """A ledger store that cannot keep answers that make no sense."""

    def put_in_quarantine(self, slot: int, content: bytes, *, metadata: Mapping[str, str]) -> None:
        """Refuse."""
        del slot, content, metadata
        raise StoreUnavailable("quarantine: 409 BlobImmutableDueToPolicy")


def test_an_answer_that_cannot_be_kept_causes_a_warning() -> None:
    """The scan does not depend on its quarantine."""
    world = World([NOW - HOUR])
    world.ledgers = Keepless()
    world.api.replies[1] = status(200, "<html>")

    world.run()

    assert world.tally.warnings == [
        "an answer that made no sense could not be kept: quarantine: 409 BlobImmutableDueToPolicy"
    ]
    world.run_until_idle()


VALID = page(
    RECORD + b"," + RECORD.replace(b'"a"', b'"b"'),
    b'"hasNext":true,"total":2,"nextQueryFilters":{"date":{"gte":%d,"lte":%d}}' % (NOW - HOUR, NOW),
)
TOKENS = [
    b"null",
    b"{",
    b"[",
    b'"',
    b"\xff",
    b"\\ud800",
    b"9" * 400,
    b"-1e400",
    b"NaN",
    b"true",
    b"",
]


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Draw a body: noise, or a page with something cut out of it and something put in."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=200))
    start = draw(st.integers(0, len(VALID)))
    end = min(len(VALID), start + draw(st.integers(0, 12)))
    return VALID[:start] + draw(st.sampled_from(TOKENS)) + VALID[end:]


HEADERS = st.one_of(st.none(), st.text(max_size=30), st.sampled_from(["0", "-1", "1", "9" * 300]))
STATUSES = [100, 103, 200, 200, 200, 204, 206, 301, 400, 401, 403, 404, 408, 418, 425, 429]
ANSWERS = st.one_of(
    st.builds(
        Answer,
        status=st.sampled_from([*STATUSES, 500, 502, 503, 599, 600, 999]),
        body=bodies(),
        date=st.one_of(st.none(), st.integers(-(2**70), 2**70)),
        retry_after=HEADERS,
        content_type=HEADERS,
        location=HEADERS,
    ),
    st.builds(NoAnswer, kind=st.just("connection"), detail=st.text(max_size=300)),
)


@settings(max_examples=150)
@given(
    answers=st.lists(ANSWERS, min_size=1, max_size=6), direction=st.sampled_from(["asc", "desc"])
)
def test_no_answer_except_a_refusal_ends_a_run(
    answers: list[Answer | NoAnswer], direction: str
) -> None:
    """Whatever the API answers, the claim is free and ledger and report stay valid."""
    world = World([NOW - 2 * HOUR], page=3)
    how = policy(direction=direction, sweeps=())
    world.api.replies = dict(enumerate(answers, 1))
    for _ in range(3):
        error: Exception | None = None
        try:
            world.run(how)
        except SourceRefused as refused:
            error = refused
        assert world.ledgers.value()["claimed_until"] == 0
        fields = report_fields(world.tally, how, "failed", duration=1, error=error)
        assert "\n" not in encode(fields)
        assert all(
            _is_sendable(it)
            for _, about in world.ledgers.quarantine.values()
            for it in about.values()
        )
        assert not [it for it in world.tally.warnings if "unexpected" in it]
        world.clock.advance(5 * MINUTE)
    msgspec.json.decode(world.ledgers.content or b"")


def _is_sendable(value: str) -> bool:
    return value.isascii() and value.isprintable() and value == value.strip()
