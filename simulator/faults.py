"""Faults: what goes wrong on purpose, scripted by the number of the request.

Every request is numbered, from 1 on, whether or not it passes authentication and the throttle; only
requests to the control paths are not. All faults that are due take effect, in the order of the
script.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypedDict

from simulator import chance
from simulator.paging import continuation
from simulator.refusals import json_reply, sign_in_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from simulator.answers import Answer
    from simulator.listening import Delivery, Reply
    from simulator.queries import Query

FOREVER = sys.maxsize


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong on a range of requests.

    Attributes:
        kind: What goes wrong; `KINDS` lists all kinds.
        first: The first request that it affects, counted from 1.
        last: The last request; None for the first only, `FOREVER` for no end.
        value: What the kind needs: a status, seconds, bytes per second, a share of the body, or a
            number of records.
        seconds: The time to wait that a scripted 429 asks for.
        probability: The share (0 to 1) of these requests that it affects.
        seed: Decides which ones.
        when: Decides by the query; None affects all requests, even unreadable ones.

    """

    kind: str
    first: int = 1
    last: int | None = None
    value: float | None = None
    seconds: float | None = None
    probability: float = 1.0
    seed: int = 0
    when: Callable[[Query], bool] | None = None

    def __post_init__(self) -> None:
        """Refuse a fault that could never happen."""
        if self.kind not in KINDS:
            message = f"There is no fault {self.kind!r}; there are: {', '.join(sorted(KINDS))}."
            raise ValueError(message)
        if self.kind == "status" and self.value is None:
            message = "The fault 'status' needs the status as its value, such as status=503."
            raise ValueError(message)
        if self.first < 1 or (self.last is not None and self.last < self.first):
            lasting = f"from {self.first} to {self.last}"
            message = f"The fault {self.kind} lasts {lasting}; give 1 <= first <= last."
            raise ValueError(message)

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read `KIND[=VALUE]:FIRST[-[LAST]][:NAME=NUMBER]...`, such as `status=503:3-5:seed=1`.

        Raises:
            ValueError: The text is not such a fault.

        """
        what, _, rest = text.partition(":")
        when, *options = rest.split(":") if rest else ["1-"]
        kind, _, value = what.partition("=")
        first, dash, last = when.partition("-")
        try:
            return cls(
                kind=kind,
                first=int(first),
                last=(int(last) if last else FOREVER) if dash else None,
                value=float(value) if value else None,
                **_read_options(options),
            )
        except (TypeError, ValueError) as problem:
            message = (
                f"The fault {text!r} is not KIND[=VALUE]:FIRST[-[LAST]][:NAME=NUMBER]...: {problem}"
            )
            raise ValueError(message) from problem

    def befalls(self, number: int, query: Query | None) -> bool:
        """Return whether this fault affects a request."""
        last = self.first if self.last is None else self.last
        if not self.first <= number <= last:
            return False
        if self.when is not None and (query is None or not self.when(query)):
            return False
        return chance.unit(self.seed, f"fault/{self.kind}", number) < self.probability


class _Options(TypedDict, total=False):
    seconds: float
    probability: float
    seed: int


def _read_options(texts: Sequence[str]) -> _Options:
    options: _Options = {}
    for text in texts:
        name, _, number = text.partition("=")
        if name == "seconds":
            options["seconds"] = float(number)
        elif name == "probability":
            options["probability"] = float(number)
        elif name == "seed":
            options["seed"] = int(number)
        else:
            message = f"the option {name!r} is none of seconds, probability, seed"
            raise ValueError(message)
    return options


def due(script: Iterable[Fault], number: int, query: Query | None) -> list[Fault]:
    """Return the faults that affect a request, in the order of the script."""
    return [fault for fault in script if fault.befalls(number, query)]


def altered(answer: Answer, faults: Sequence[Fault]) -> Answer:
    """Apply the faults that change the content of a page, in place."""
    for fault in faults:
        if fault.kind in _ALTERATIONS:
            _ALTERATIONS[fault.kind](answer, fault)
    return answer


def instead(faults: Sequence[Fault]) -> Reply | None:
    """Return the answer of the first fault that replaces the page, or None."""
    for fault in faults:
        if fault.kind in _REPLACEMENTS:
            return _REPLACEMENTS[fault.kind]()
    return None


def sent(reply: Reply, faults: Sequence[Fault]) -> Reply:
    """Apply the faults of the transport to a reply."""
    for fault in faults:
        if fault.kind in _TRANSPORTS:
            reply = _TRANSPORTS[fault.kind](reply, fault)
    return reply


def _data_null(answer: Answer, _: Fault) -> None:
    answer.overrides["data"] = b"null"


def _no_data(answer: Answer, _: Fault) -> None:
    answer.left_out.add("data")


def _null_item(answer: Answer, _: Fault) -> None:
    answer.records.insert(len(answer.records) // 2, b"null")


def _no_has_next(answer: Answer, _: Fault) -> None:
    answer.left_out.add("hasNext")


def _no_total(answer: Answer, _: Fault) -> None:
    answer.left_out.add("total")


def _no_continuation(answer: Answer, _: Fault) -> None:
    answer.has_next = True
    answer.next_filters = None


def _null_continuation(answer: Answer, _: Fault) -> None:
    answer.has_next = True
    answer.overrides["nextQueryFilters"] = b"null"


def _early_end(answer: Answer, _: Fault) -> None:
    answer.has_next = False
    answer.next_filters = None


def _stuck_cursor(answer: Answer, _: Fault) -> None:
    answer.has_next = True
    answer.next_filters = answer.query.filters


def _foreign_filters(answer: Answer, _: Fault) -> None:
    if answer.next_filters is not None:
        answer.next_filters = {**answer.next_filters, "service": {"eq": [11161]}}


def _unfiltered(answer: Answer, _: Fault) -> None:
    answer.records = answer.foreign()
    answer.keys = []


def _empty_page(answer: Answer, fault: Fault) -> None:
    """Show nothing, and move the cursor only as far as no activity is lost."""
    if not answer.keys:
        return
    ahead = continuation(answer.query, answer.keys[0])
    if ahead == answer.query.filters:
        _short_page(answer, fault)
        return
    answer.keep(0)
    answer.has_next = True
    answer.next_filters = ahead


def _short_page(answer: Answer, fault: Fault) -> None:
    """Show whole milliseconds, about as many records as asked; the cursor is at the next one."""
    wished = max(1, int(fault.value or 1))
    later = [at for at in range(wished, len(answer.keys)) if answer.keys[at] != answer.keys[at - 1]]
    if not later:
        return
    answer.has_next = True
    answer.next_filters = continuation(answer.query, answer.keys[later[0]])
    answer.keep(later[0])


def _repeated_record(answer: Answer, _: Fault) -> None:
    answer.records += answer.records[:1]


def _unsorted(answer: Answer, _: Fault) -> None:
    answer.records.reverse()


def _empty_object() -> Reply:
    return json_reply({})


def _delay(reply: Reply, fault: Fault) -> Reply:
    return _delivered(reply, replace(reply.delivery, delay_seconds=_number(fault, 5.0)))


def _silence(reply: Reply, _: Fault) -> Reply:
    return _delivered(reply, replace(reply.delivery, silent=True))


def _reset(reply: Reply, _: Fault) -> Reply:
    return _delivered(reply, replace(reply.delivery, reset=True))


def _drip(reply: Reply, fault: Fault) -> Reply:
    return _delivered(reply, replace(reply.delivery, bytes_per_second=_number(fault, 10.0)))


def _cut(reply: Reply, fault: Fault) -> Reply:
    return _delivered(reply, replace(reply.delivery, cut_after=_number(fault, 0.5)))


def _endless(reply: Reply, _: Fault) -> Reply:
    return _delivered(
        replace(reply, body=reply.body or b" "), replace(reply.delivery, endless=True)
    )


def _truncate(reply: Reply, fault: Fault) -> Reply:
    return replace(reply, body=reply.body[: int(len(reply.body) * _number(fault, 0.5))])


def _not_gzip(reply: Reply, _: Fault) -> Reply:
    return replace(reply, headers={**reply.headers, "Content-Encoding": "gzip"})


def _bad_byte(reply: Reply, fault: Fault) -> Reply:
    """Put a byte that is not UTF-8 into the body, as a gateway that writes Latin-1 does."""
    place = int(len(reply.body) * _number(fault, 0.5))
    return replace(reply, body=reply.body[:place] + b"\xe8" + reply.body[place:])


def _deep(reply: Reply, fault: Fault) -> Reply:
    return replace(reply, body=b'{"detail":' + b"[" * int(_number(fault, 5000)))


def _hints(reply: Reply, fault: Fault) -> Reply:
    return _delivered(reply, replace(reply.delivery, hints=int(_number(fault, 1))))


def _delivered(reply: Reply, delivery: Delivery) -> Reply:
    return replace(reply, delivery=delivery)


def _number(fault: Fault, default: float) -> float:
    return default if fault.value is None else fault.value


_ALTERATIONS: dict[str, Callable[[Answer, Fault], None]] = {
    "data-null": _data_null,
    "no-data": _no_data,
    "null-item": _null_item,
    "no-has-next": _no_has_next,
    "no-total": _no_total,
    "no-continuation": _no_continuation,
    "null-continuation": _null_continuation,
    "early-end": _early_end,
    "stuck-cursor": _stuck_cursor,
    "foreign-filters": _foreign_filters,
    "unfiltered": _unfiltered,
    "empty-page": _empty_page,
    "short-page": _short_page,
    "repeated-record": _repeated_record,
    "unsorted": _unsorted,
}

_REPLACEMENTS: dict[str, Callable[[], Reply]] = {
    "empty-object": _empty_object,
    "html": sign_in_page,
}

_TRANSPORTS: dict[str, Callable[[Reply, Fault], Reply]] = {
    "delay": _delay,
    "silence": _silence,
    "reset": _reset,
    "drip": _drip,
    "cut": _cut,
    "truncate": _truncate,
    "endless": _endless,
    "not-gzip": _not_gzip,
    "bad-byte": _bad_byte,
    "deep": _deep,
    "hints": _hints,
}

# A short description of each kind of fault, for the help of the command line.
KINDS: dict[str, str] = {
    "status": "answer with the value as the status, and with a matching body",
    "html": "answer 200 with a sign-in page",
    "empty-object": "answer 200 with {}",
    "data-null": "send null as data",
    "no-data": "leave data out",
    "null-item": "put a null among the records",
    "no-has-next": "leave hasNext out",
    "no-total": "leave total out",
    "no-continuation": "say hasNext without nextQueryFilters",
    "null-continuation": "say hasNext with null as nextQueryFilters",
    "early-end": "say that there is no more although there is",
    "stuck-cursor": "say hasNext with the filters of the request itself",
    "foreign-filters": "add a filter to nextQueryFilters",
    "unfiltered": "send the newest records that the filters do not ask for",
    "empty-page": "send no records but hasNext and a cursor that moves on, losing nothing",
    "short-page": "send only about as many records as the value (1), losing nothing",
    "repeated-record": "send the first record of the page once more at its end",
    "unsorted": "send the records in the opposite order",
    "delay": "wait for the value in seconds (5), then answer",
    "silence": "never answer",
    "reset": "reset the connection before answering",
    "drip": "send the body with as many bytes per second as the value (10)",
    "cut": "close the connection after a share of the body, the value (0.5)",
    "truncate": "send a complete answer with only a share of the body, the value (0.5)",
    "not-gzip": "say that the body is gzip although it is not",
    "endless": "send the body repeatedly, without end",
    "bad-byte": "insert a byte that is not UTF-8 after a share of the body, the value (0.5)",
    "deep": "send JSON that is nested as deeply as the value (5000) and never ends",
    "hints": "send as many Early Hints (103) as the value (1), then answer",
}
