"""The simulated API as an `ActivitySource` without sockets: thousands of scans in seconds."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from shared.core.model import Answer, NoAnswer, Request
from simulator import Switches, Tenant
from simulator.answers import Answer as Written
from simulator.answers import written
from simulator.filters import BadRequestError
from simulator.paging import estimated, shown, stated_limit, turn
from simulator.queries import Query as Asked
from tests.fakes import Effects, FakeClock, Reply


class SimulatedApi:
    """Returns the simulator's HTTP answers.

    Attributes:
        tenant: the truth.
        switches: how the API behaves.
        time: the API's own clock.
        date: the `Date` of its answers, or None if they have none.
        latency: ms that every answer takes by the clock, besides what the switches say.
        instead: returns an answer by request number and query, or None to let the API answer.
        asked: the bodies of the requests, parsed.
    """

    def __init__(self, tenant: Tenant, clock: FakeClock, switches: Switches) -> None:
        self.tenant = tenant
        self.clock = clock
        self.time: Callable[[], int] = clock.now
        self.date: Callable[[], int | None] = lambda: None
        self.switches = switches
        self.latency = 0
        self.instead: Callable[[int, dict[str, Any]], Reply | None] = lambda _number, _asked: None
        self.asked: list[dict[str, Any]] = []
        self.effects = Effects()
        self.lock = threading.Lock()

    def ask(self, request: Request, *, timeout: float) -> Answer | NoAnswer:
        """Answer one request."""
        del timeout
        return self.effects.run("request", lambda: self._ask(json.loads(request.body)))

    def _ask(self, body: dict[str, Any]) -> Answer | NoAnswer:
        with self.lock:
            self.asked.append(body)
            number = len(self.asked)
            self.clock.advance(self.latency)
        scripted = self.instead(number, body)
        if isinstance(scripted, Exception):
            raise scripted
        return self._dated(scripted or self._answer(number, body))

    def _answer(self, number: int, body: dict[str, Any]) -> Answer:
        try:
            page, records = self._page(number, body)
        except BadRequestError as problem:
            return Answer(status=400, body=json.dumps({"detail": str(problem)}).encode())
        self.clock.advance(round(self.switches.seconds(number, records) * 1000))
        return Answer(status=200, body=page)

    def _dated(self, answer: Answer | NoAnswer) -> Answer | NoAnswer:
        date = self.date()
        if date is None or isinstance(answer, NoAnswer):
            return answer
        return replace(answer, date=date)

    def _page(self, number: int, given: dict[str, Any]) -> tuple[bytes, int]:
        asked = Asked(
            filters=given["filters"],
            is_scan=given["isScan"],
            limit=given["limit"],
            sort_field=given.get("sortField", "date"),
            sort_direction=given.get("sortDirection", "desc"),
            given=frozenset(given),
        )
        page = turn(self.tenant, asked, self.switches, self.time())
        answer = Written(
            query=asked,
            records=shown(self.tenant, page, self.switches),
            keys=page.keys,
            has_next=page.has_next,
            next_filters=page.next_filters,
            total=estimated(page.total, self.switches, number),
            foreign=list,
            empty=self.switches.empty_data,
            limit=stated_limit(asked, self.switches),
        )
        body = written(answer, data_first=number % 2 == 0, pretty=False)
        return body, len(answer.records)

    def renew_token(self) -> bool:
        """Nothing to renew."""
        return False
