"""Drawing a status as a page: one HTML file without script, which asks for nothing else.

The core has decided everything that the page says. This package lays it out: it computes places and
lengths, and the templates beside it hold the words and the looks.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from shared.core.audit.overview import WORST_FIRST, Overview, counted
from shared.core.audit.status import Status
from shared.drawing import words
from shared.drawing.bars import bars_of
from shared.drawing.curves import curves_of
from shared.drawing.hours import hours_of

if TYPE_CHECKING:
    from jinja2 import Template

Links = Mapping[str, str]
"""The address of each scan's page, by name; a scan without a page has none."""


def draw(status: Status, *, overview: str | None = None) -> bytes:
    """Return the page of one scan, in UTF-8.

    Args:
        status: how it is.
        overview: address of the overview of all scans; None if there is none.
    """
    return _page([status], now=status.now, back=overview)


def draw_overview(overview: Overview, links: Links, *, refresh: int | None = None) -> bytes:
    """Return the overview of all scans as a page, in UTF-8.

    Args:
        overview: at least one scan.
        links: where the page of each scan is.
        refresh: after how many seconds a browser loads the page again; None for never.
    """
    return _page([], now=overview.now, overview=overview, links=links, refresh=refresh)


def page_of(
    statuses: Sequence[Status], overview: Overview | None = None, *, refresh: int | None = None
) -> bytes:
    """Return one page of a few scans, in UTF-8.

    Args:
        statuses: of all scans whose status is known.
        overview: of all scans; None if there is only one.
        refresh: after how many seconds a browser loads the page again; None for never.
    """
    now = overview.now if overview else statuses[0].now
    links = {it.scan: f"#scan-{place}" for place, it in enumerate(statuses, start=1)}
    return _page(statuses, now=now, overview=overview, links=links, refresh=refresh)


def _page(  # noqa: PLR0913 - what a page is made of, by name
    statuses: Sequence[Status],
    *,
    now: int,
    overview: Overview | None = None,
    links: Links | None = None,
    back: str | None = None,
    refresh: int | None = None,
) -> bytes:
    views = [
        {
            "status": status,
            "hours": hours_of(status.cells),
            "curves": curves_of(status.week),
            "bars": bars_of(status),
        }
        for status in statuses
    ]
    tones = overview.counts if overview else {statuses[0].tone: 1}
    made = _template().render(
        views=views,
        overview=overview,
        counts=list(counted(overview)) if overview else [],
        links=links or {},
        back=back,
        refresh=refresh,
        tone=next(it for it in WORST_FIRST if tones.get(it)),
        now=now,
    )
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
