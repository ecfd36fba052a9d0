"""Writing the overview of all scans of an app, from the statuses that their runs have stored.

It does not matter which process did the runs. Nothing depends on the overview, and it is bounded in
time. Statuses are read without a condition: a read that finds nothing new costs the same, and every
run of a scan writes a new one.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import msgspec

from shared.core.audit import overview as overviews
from shared.core.audit.overview import Glance, Overview, overview_of, stored_glance, unread
from shared.core.errors import StoreError
from shared.core.model import MINUTE_MS
from shared.core.state.layout import overview_name, status_name
from shared.ports import Clock, DerivedStore

EVERY_MS = 15 * MINUTE_MS
"""An overview is written in each quarter of an hour in which the timer fires."""

MOST_MS = 20_000
"""After so long, the statuses that are not yet read are left out."""

READERS = 10
"""How many statuses are read at once: as many as the SDK keeps connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the status of one scan is.

    Attributes:
        scan: the scan's name.
        api: host of the API that it asks.
        derived: where its runs store it.
        page: address of the scan's page, as seen from the overview.
    """

    scan: str
    api: str
    derived: DerivedStore
    page: str


Draw = Callable[[Overview, dict[str, str]], bytes]
"""Returns the overview as a page, with the address of each scan's page by the scan's name."""


def write_overview(places: Iterable[Place], app: DerivedStore, draw: Draw, clock: Clock) -> bool:
    """Write the overview as JSON and as a page, if it is due; say whether it was.

    Args:
        places: one for each scan; asked for only if it is due.
        app: where the overview is kept.
        draw: makes the page.
        clock: time.

    Raises:
        StoreUnavailable: the place of the overview cannot be reached or refuses.
    """
    name, now = overview_name("json"), clock.now()
    stored = app.read(name)
    if _quarter(now) == _quarter(_written(stored.content)):
        return False
    known = list(places)
    overview = overview_of(_glances(known, now, clock), now)
    if app.save(name, overviews.encode(overview), etag=stored.etag, manifest=0):
        page = draw(overview, {it.scan: it.page for it in known})
        app.publish(overview_name("html"), page, manifest=0)
    return True


class _Written(msgspec.Struct):
    now: int


def _written(content: bytes | None) -> int:
    """Return when an overview was made; 0 if there is none that can be read."""
    try:
        return msgspec.json.decode(content or b"", type=_Written).now
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return 0


def _quarter(now: int) -> int:
    return now // EVERY_MS


def _glances(places: Sequence[Place], now: int, clock: Clock) -> list[Glance]:
    started = clock.elapsed()

    def read(place: Place) -> Glance:
        if clock.elapsed() - started >= MOST_MS:
            said = "Its status was not read, because the others took too long."
            return Glance(scan=place.scan, api=place.api, tone="notice", verdict=said)
        return _glance(place, now)

    with ThreadPoolExecutor(READERS, "overview") as readers:
        return list(readers.map(read, places))


def _glance(place: Place, now: int) -> Glance:
    try:
        content = place.derived.read(status_name(place.scan, "json")).content
    except StoreError as error:
        return unread(place.scan, place.api, str(error), error.help)
    return stored_glance(content, place.scan, place.api, now=now)
