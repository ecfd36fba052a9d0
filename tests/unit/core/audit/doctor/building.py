"""Questions with what their answers showed, for the tests of core/audit/doctor."""

from collections.abc import Iterable
from typing import Any

from shared.core.audit.doctor.looking import Asked, Seen, look
from shared.core.audit.doctor.probing import Probing
from shared.core.audit.doctor.words import Question
from shared.core.model import Answer, NoAnswer, Request
from tests.fakes import DAY, NOW, activity, page_of, policy, status

HOW = policy(reach=30 * DAY)

START, END = Probing(now=NOW, policy=HOW).window
"""The window of the questions, in epoch ms."""

NOT_ACCEPTED = status(400, "{}")

TOOK_MS = 70


def at(*times: int, **fields: Any) -> list[dict[str, Any]]:
    """Return activities at these times after the start of the window, with the given fields."""
    return [{**activity(START + time), **fields} for time in times]


def saved(*pairs: tuple[int, int]) -> list[dict[str, Any]]:
    """Return activities that happened and were saved so long after the start of the window."""
    return [
        {**activity(START + happened), "created": START + created} for happened, created in pairs
    ]


def page(records: Iterable[dict[str, Any] | None] = (), **members: Any) -> Answer:
    """Return the last page with these records, or with changed members another one."""
    data = list(records)
    return page_of({"data": data, "hasNext": False, "total": len(data), **members})


def more(records: Iterable[dict[str, Any] | None] = (), **following: dict[str, Any]) -> Answer:
    """Return a page with these records, after which a query with these filters continues."""
    return page(records, hasNext=True, nextQueryFilters=following)


def saw(question: Question, answer: Answer | NoAnswer, **asked: Any) -> Seen:
    """Return a question about the window with what its answer showed.

    Args:
        question: which one.
        answer: to it.
        asked: what is asked otherwise than by the usual query.
    """
    usual = {"limit": 500, "filters": ("date",), "bounds": (START, END)}
    sent = Asked(question=question, request=Request(body=b"{}"), **{**usual, **asked})
    return look(sent, answer, milliseconds=TOOK_MS, now=NOW)


def knowing(*seen: Seen) -> Probing:
    """Return an examination that has seen this."""
    return Probing(now=NOW, policy=HOW, seen=seen)
