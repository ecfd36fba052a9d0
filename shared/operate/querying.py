"""`query`: ask the Activities API for one query's activities, to the last page."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from shared.core.api.answers import Fault, Throttle, read_answer
from shared.core.api.pages import Page
from shared.core.api.records import Record
from shared.core.errors import QueryFailed, TokenRefused
from shared.core.model import MINUTE_MS, Pacing
from shared.core.state import pacing
from shared.operate.following import Position, Query, begin, next_request, take
from shared.operate.gauging import Gauge
from shared.operate.pausing import Display, counted, pause
from shared.ports import ActivitySource, Clock

TIMEOUT_SECONDS = 120.0
"""The total time for one answer: a slow tenant takes tens of seconds for 5,000 records."""

FAULTS_MOST = 5
"""How many answers in a row may fail. A fault of more than half a minute needs a person."""

THROTTLED_MOST_MS = 30 * MINUTE_MS
"""The longest wait for throttles in a row: by then, another program uses up the tenant's budget."""

BACKOFF_FIRST_MS = 2_000
"""The wait after the first fault; it doubles with every further one."""

Write = Callable[[Iterable[Record]], None]
"""Takes the records of one page, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a query brought so far.

    Attributes:
        pages: number of answers that were pages.
        records: number of records written.
        repeated: number of records left out because the API had shown them before.
        nulls: number of nulls where an activity should be.
        irregular: number of records written in the wrapped form (`docs/formats.md`).
    """

    pages: int = 0
    records: int = 0
    repeated: int = 0
    nulls: int = 0
    irregular: int = 0

    def __str__(self) -> str:
        """Return a one-line summary."""
        said = f"{counted(self.records, 'activity', 'activities')} on "
        said += counted(self.pages, "page", "pages")
        said += f", {self.repeated:,} shown twice and written once" if self.repeated else ""
        said += f", {self.nulls:,} shown as null and missing" if self.nulls else ""
        return said + (f", {self.irregular:,} irregular" if self.irregular else "")


class Asker:
    """Sends the requests of one query, within the request budget and despite temporary faults."""

    def __init__(
        self, source: ActivitySource, clock: Clock, display: Display, *, per_minute: int
    ) -> None:
        """Begin with an unused request budget."""
        self._source = source
        self.clock = clock
        self._display = display
        self._per_minute = per_minute
        self._pacing = Pacing()
        self._renewed = False

    def page(self, position: Position) -> Page:
        """Return the next page, however many requests it takes.

        Raises:
            QueryFailed: too many answers in a row were not a page.
            SourceRefused: the API refuses the query or the caller.
        """
        faults = throttled = 0
        while True:
            meaning = self._ask(position)
            if isinstance(meaning, Page):
                self._pacing = pacing.note_page(self._pacing)
                return meaning
            if isinstance(meaning, Throttle):
                throttled += self._throttled(meaning, throttled)
            else:
                faults += 1
                self._back_off(meaning, faults)

    def _ask(self, position: Position) -> Page | Throttle | Fault:
        self._keep_pace()
        self._pacing = pacing.note_request(self._pacing, self.clock.now())
        answer = self._source.ask(next_request(position), timeout=TIMEOUT_SECONDS)
        try:
            meaning = read_answer(answer, now=self.clock.now())
        except TokenRefused:
            # A long query may outlive its token. A second refusal in a row has another reason.
            if self._renewed or not self._source.renew_token():
                raise
            self._renewed = True
            return self._ask(position)
        self._renewed = False
        if isinstance(meaning, Page) and meaning.bare and meaning.has_next:
            return Fault(kind="malformed", detail="the answer has no data")
        return meaning

    def _keep_pace(self) -> None:
        now = self.clock.now()
        wait = pacing.next_allowed(self._pacing, now, self._per_minute) - now
        pause(self.clock, self._display, wait, f"{self._per_minute} requests a minute are allowed")

    def _throttled(self, throttle: Throttle, before: int) -> int:
        """Wait until a throttle ends; return how long that took, in ms."""
        now = self.clock.now()
        self._pacing = pacing.note_throttle(self._pacing, now, throttle.wait)
        wait = self._pacing.not_before - now
        if before + wait > THROTTLED_MOST_MS:
            raise QueryFailed(
                f"the API has throttled {self._pacing.throttles} requests in a row: other programs "
                "use up the tenant's requests. Stop them, or ask again after they have ended"
            )
        pause(self.clock, self._display, wait, "the API throttles this tenant (429)")
        return wait

    def _back_off(self, fault: Fault, faults: int) -> None:
        if faults >= FAULTS_MOST:
            raise QueryFailed(
                f"the API gave no page {faults} times in a row; the last answer: {fault.detail}. "
                "Ask again later, or with a smaller --limit"
            )
        wait = max(BACKOFF_FIRST_MS * 2 ** (faults - 1), fault.wait)
        pause(self.clock, self._display, wait, f"no page ({fault.detail})")


def follow(query: Query, asker: Asker, write: Write, display: Display) -> Found:
    """Write every activity of a query, and return how many there were.

    Raises:
        QueryFailed: the query cannot be followed to its end without losing activities.
        SourceRefused: the API refuses the query or the caller.
    """
    found = Found()
    gauge = Gauge(asker.clock)
    position: Position | None = begin(query)
    while position is not None:
        page = asker.page(position)
        taken = take(position, page)
        write(taken.records)
        found = replace(
            found,
            pages=found.pages + 1,
            records=found.records + len(taken.records),
            repeated=found.repeated + taken.repeated,
            nulls=found.nulls + len(page.nulls),
            irregular=found.irregular + sum(it.original is not None for it in taken.records),
        )
        display.progress(f"{found}{_pace(gauge, found, page)}")
        position = taken.goes_on
    return found


def _pace(gauge: Gauge, found: Found, page: Page) -> str:
    """Return the rate, what is left by the API's own count, and how long that may take."""
    left = max(0, (page.total or 0) - len(page.records)) if page.has_next else 0
    said = gauge.rate(found.records)
    if left:
        said += f", about {left:,} to come by the API's count{gauge.left(found.records, left)}"
    return said
