"""Drawing a status as a page: one HTML file without script, which asks for nothing else.

The core has decided everything that the page says. This package lays it out: it computes places and
lengths, and the templates beside it hold the words and the looks.
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from shared.core.audit.status import Status, Tone
from shared.drawing import words
from shared.drawing.bars import bars_of
from shared.drawing.curves import curves_of
from shared.drawing.hours import hours_of

if TYPE_CHECKING:
    from jinja2 import Template

WORST_FIRST: tuple[Tone, ...] = ("bad", "warning", "notice", "good")


def draw(status: Status) -> bytes:
    """Return the page of one scan, as a run writes it beside the ledger."""
    return page_of([status])


def page_of(statuses: Sequence[Status], *, refresh: int | None = None) -> bytes:
    """Return the page of some scans, in UTF-8.

    Args:
        statuses: at least one; if there are several, the page begins with an overview of them.
        refresh: after how many seconds a browser loads the page again; None for never.
    """
    tone = next(it for it in WORST_FIRST if any(status.tone == it for status in statuses))
    views = [
        {
            "status": status,
            "hours": hours_of(status.cells),
            "curves": curves_of(status.week),
            "bars": bars_of(status),
        }
        for status in statuses
    ]
    made = _template().render(views=views, refresh=refresh, tone=tone, now=statuses[0].now)
    return made.encode()


@cache
def _template() -> "Template":
    # Loaded here and not above: a run needs it only after its work is done.
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=PackageLoader("shared.drawing"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(words.FILTERS)
    return environment.get_template("page.html")
