"""The simulated API itself: routes, authentication, throttle and pages, on a loopback port."""

from __future__ import annotations

import json
import re
import time
from dataclasses import asdict, dataclass, replace
from email.utils import formatdate
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from simulator import refusals
from simulator.answers import Answer, indented, written
from simulator.archive import require_archivable
from simulator.credentials import AuthorizationKind, Credentials, Refusal, kind_of
from simulator.faults import Fault, altered, due, instead, sent
from simulator.filters import BadRequestError
from simulator.listening import Incoming, Listener, Reply, Served, TlsFiles
from simulator.paging import (
    DeepSkipError,
    estimated,
    find,
    find_outside,
    shown,
    stated_limit,
    turn,
)
from simulator.phases import Phase, in_effect
from simulator.queries import Query, parse_query
from simulator.switches import Switches
from simulator.tenant import arrivals_as_lines
from simulator.throttling import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from simulator.filters import Filters
    from simulator.paging import Page
    from simulator.tenant import Tenant

_CONTROL = "/simulator/"
_ROUTE = re.compile(r"(?:/cas)?/api/v1/activities(?:/(?P<rest>.*))?")
_ARCHIVE = re.compile(r"(?:/cas)?/api/v1/archived_activities/")


def wall_clock() -> int:
    """Return the real time (epoch ms)."""
    return time.time_ns() // 1_000_000  # noqa: TID251 - the simulated server's own clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request as the simulator saw it.

    Attributes:
        number: Its number, from 1 on; faults are scripted by it.
        at_ms: When it arrived, by the simulator's clock (epoch ms).
        method: The HTTP method.
        path: The path as sent.
        filters: The parsed filters; empty if there are none or they cannot be parsed.
        limit: The requested limit, or None.
        sort_field: The sort field in effect.
        sort_direction: The sort direction in effect.
        is_scan: Whether it asked for scan mode.
        authorization_kind: The kind of its credential.
        status: The status of the answer, even if a fault then kept it from being sent.
        records: The number of records in the answer.

    """

    number: int
    at_ms: int
    method: str
    path: str
    filters: Filters
    limit: int | None
    sort_field: str
    sort_direction: str
    is_scan: bool
    authorization_kind: AuthorizationKind
    status: int
    records: int


class _Call(NamedTuple):
    """A request, and what is known about it before it is answered."""

    number: int
    at_ms: int
    incoming: Incoming
    query: Query | None
    faults: list[Fault]
    switches: Switches

    @property
    def now_ms(self) -> int:
        """The server's own time, which may be skewed."""
        return self.at_ms + self.switches.skew_ms


class _Outcome(NamedTuple):
    reply: Reply
    records: int = 0


class Simulator(Served):
    """The Activities API of one tenant on a loopback port. Use it as a context manager.

    Attributes:
        tenant: The activities; more may be added at any time.
        switches: How the API behaves; may be replaced at any time.
        faults: The script of faults; may be replaced at any time.
        phases: The script of switches for some requests; may be replaced at any time.
        credentials: Who may call.
        clock: Returns the time (epoch ms); may be replaced at any time.

    """

    def __init__(  # noqa: PLR0913 - a simulator is put together from just these parts
        self,
        tenant: Tenant,
        *,
        switches: Switches | None = None,
        faults: Iterable[Fault] = (),
        phases: Iterable[Phase] = (),
        credentials: Credentials | None = None,
        clock: Callable[[], int] = wall_clock,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: TlsFiles | None = None,
    ) -> None:
        self.tenant = tenant
        self.switches = switches or Switches()
        self.faults = tuple(faults)
        self.phases = tuple(phases)
        self.credentials = credentials or Credentials()
        self.clock = clock
        self._throttle = Throttle()
        self._received: list[Received] = []
        self._arrived = 0
        self._lock = Lock()
        self._listener = Listener(
            self._respond, now_ms=self._server_time, host=host, port=port, tls=tls
        )

    @property
    def url(self) -> str:
        """The address without a path, such as `http://127.0.0.1:49152`."""
        return self._listener.url

    @property
    def requests(self) -> list[Received]:
        """Every request so far, by number. A request is listed before its answer is sent."""
        with self._lock:
            return sorted(self._received, key=lambda received: received.number)

    def _server_time(self) -> int:
        return self.clock() + self.switches.skew_ms

    def _respond(self, incoming: Incoming) -> Reply:
        if incoming.path.startswith(_CONTROL):
            return self._control(incoming)
        call = self._arrival(incoming)
        outcome = self._outcome(call)
        self._note(call, outcome)
        reply = sent(self._encoded(call, outcome.reply), call.faults)
        return self._dated(call, _delayed(call, reply, outcome.records))

    def _control(self, incoming: Incoming) -> Reply:
        """Answer requests of other processes about the simulator itself."""
        name = incoming.path.removeprefix(_CONTROL).rstrip("/")
        if name == "truth":
            jitter = self.switches.visibility_jitter_ms
            text = arrivals_as_lines(self.tenant.arrivals(jitter_ms=jitter))
        elif name == "requests":
            text = "".join(json.dumps(asdict(received)) + "\n" for received in self.requests)
        else:
            return refusals.page_not_found()
        return Reply(status=HTTPStatus.OK, body=text.encode(), content_type="application/x-ndjson")

    def _arrival(self, incoming: Incoming) -> _Call:
        with self._lock:
            self._arrived += 1
            number = self._arrived
        query = self._readable_query(incoming)
        faults = due(self.faults, number, query)
        switches = in_effect(self.switches, self.phases, number)
        return _Call(number, self.clock(), incoming, query, faults, switches)

    def _readable_query(self, incoming: Incoming) -> Query | None:
        try:
            return parse_query(incoming)
        except BadRequestError:
            return None

    def _outcome(self, call: _Call) -> _Outcome:
        for fault in call.faults:
            if fault.kind == "status":
                return _Outcome(self._status(call, int(fault.value or 0), fault.seconds))
        replaced = instead(call.faults)
        return self._routed(call) if replaced is None else _Outcome(replaced)

    def _status(self, call: _Call, status: int, wait_seconds: float | None = None) -> Reply:
        return refusals.for_status(
            status,
            number=call.number,
            now_ms=call.now_ms,
            switches=call.switches,
            wait_seconds=wait_seconds,
        )

    def _routed(self, call: _Call) -> _Outcome:
        match = _ROUTE.fullmatch(call.incoming.path)
        if _ARCHIVE.fullmatch(call.incoming.path):
            return self._refusal(call) or self._archived(call)
        if match is None:
            return _Outcome(refusals.page_not_found())
        rest = match["rest"]
        if rest is None and call.switches.trailing_slash == "ignore-body":
            return self._refusal(call) or self._list(call, with_body=False)
        if rest is None or (rest and not rest.endswith("/")):
            return _Outcome(_with_slash(call.incoming))
        return self._refusal(call) or self._found(call, rest.rstrip("/"))

    def _refusal(self, call: _Call) -> _Outcome | None:
        """Refuse without a valid credential, then by the throttle; return None to let it pass."""
        authorization = call.incoming.headers.get("Authorization")
        refusal = self.credentials.refusal(authorization, call.now_ms)
        if refusal is not None:
            return _Outcome(self._refused(call, refusal))
        if call.incoming.method not in {"GET", "POST", "HEAD"}:
            detail = f'Method "{call.incoming.method}" not allowed.'
            return _Outcome(self._refused(call, Refusal(405, detail)))
        wait = self._throttle.wait_seconds(call.at_ms, call.switches.throttle_per_minute)
        if wait is None:
            return None
        return _Outcome(refusals.throttled(wait, now_ms=call.now_ms, switches=call.switches))

    def _refused(self, call: _Call, refusal: Refusal) -> Reply:
        return refusals.refused(refusal, number=call.number, switches=call.switches)

    def _found(self, call: _Call, rest: str) -> _Outcome:
        if not rest:
            return self._list(call)
        if rest == "count":
            return self._counted(call)
        return self._single(call, unquote(rest))

    def _archived(self, call: _Call) -> _Outcome:
        """Answer from the archive, which reaches further back and supports fewer queries."""
        switches = replace(call.switches, reach_ms=call.switches.archive_reach_ms)
        try:
            query = parse_query(call.incoming)
            require_archivable(query, switches, call.now_ms)
        except BadRequestError as problem:
            return _Outcome(self._refused(call, Refusal(400, str(problem))))
        return self._list(call._replace(switches=switches))

    def _list(self, call: _Call, *, with_body: bool = True) -> _Outcome:
        try:
            query = parse_query(call.incoming, with_body=with_body)
            page = turn(self.tenant, query, call.switches, call.now_ms)
        except BadRequestError as problem:
            return _Outcome(self._refused(call, Refusal(400, str(problem))))
        except DeepSkipError as problem:
            status = call.switches.deep_skip_status
            if status == HTTPStatus.BAD_REQUEST:
                return _Outcome(self._refused(call, Refusal(status, str(problem))))
            return _Outcome(self._status(call, status))
        return self._page(call, query, page)

    def _page(self, call: _Call, query: Query, page: Page) -> _Outcome:
        answer = Answer(
            query=query,
            records=shown(self.tenant, page, call.switches),
            keys=page.keys,
            has_next=page.has_next,
            next_filters=page.next_filters,
            total=estimated(page.total, call.switches, call.number),
            foreign=lambda: self._foreign(call, query),
            empty=call.switches.empty_data,
            limit=stated_limit(query, call.switches),
        )
        altered(answer, call.faults)
        body = written(answer, data_first=call.number % 2 == 0, pretty=call.switches.pretty)
        return _Outcome(Reply(status=HTTPStatus.OK, body=body), len(answer.records))

    def _foreign(self, call: _Call, query: Query) -> list[bytes]:
        found = find_outside(self.tenant, query, call.switches, call.now_ms)
        return [self.tenant.bytes_of(row) for row in found.rows]

    def _counted(self, call: _Call) -> _Outcome:
        try:
            query = parse_query(call.incoming)
            exact = find(self.tenant, query, call.switches, call.now_ms).total
        except (BadRequestError, DeepSkipError) as problem:
            return _Outcome(self._refused(call, Refusal(400, str(problem))))
        reach, cap = call.switches.reach_ms, call.switches.count_cap
        more = cap is not None and exact > cap
        body = {
            "total": cap if more else estimated(exact, call.switches, call.number),
            "moreThanTotal": more,
            "searchedSince": 0 if reach is None else call.now_ms - reach,
        }
        return _Outcome(refusals.json_reply(body))

    def _single(self, call: _Call, activity_id: str) -> _Outcome:
        row = self.tenant.row_of(activity_id)
        hidden = row is not None and self.tenant.times_of(row)[1] > call.now_ms
        if row is None or (hidden and call.switches.hide_until_created):
            return _Outcome(self._refused(call, Refusal(404, "Not found.")))
        record = self.tenant.bytes_of(row)
        body = indented(record) if call.switches.pretty else record
        return _Outcome(Reply(status=HTTPStatus.OK, body=body), 1)

    def _note(self, call: _Call, outcome: _Outcome) -> None:
        query = call.query or Query()
        received = Received(
            number=call.number,
            at_ms=call.at_ms,
            method=call.incoming.method,
            path=call.incoming.path,
            filters=query.filters,
            limit=query.limit,
            sort_field=query.sort_field,
            sort_direction=query.sort_direction,
            is_scan=query.is_scan,
            authorization_kind=kind_of(call.incoming.headers.get("Authorization")),
            status=int(outcome.reply.status),
            records=outcome.records,
        )
        with self._lock:
            self._received.append(received)

    def _encoded(self, call: _Call, reply: Reply) -> Reply:
        accepted = call.incoming.headers.get("Accept-Encoding", "")
        wanted = call.switches.gzip_response and "gzip" in accepted and reply.body
        return reply.compressed() if wanted else reply

    def _dated(self, call: _Call, reply: Reply) -> Reply:
        """Set the `Date` header in a phase in which the server's clock differs."""
        if call.switches.skew_ms == self.switches.skew_ms:
            return reply
        date = formatdate((self.clock() + call.switches.skew_ms) / 1000, usegmt=True)
        return replace(reply, headers={**reply.headers, "Date": date})


def _delayed(call: _Call, reply: Reply, records: int) -> Reply:
    seconds = call.switches.seconds(call.number, records)
    if seconds <= 0:
        return reply
    delay_seconds = reply.delivery.delay_seconds + seconds
    return replace(reply, delivery=replace(reply.delivery, delay_seconds=delay_seconds))


def _with_slash(incoming: Incoming) -> Reply:
    """Redirect to the path with a slash; clients follow with a GET without a body."""
    query = f"?{incoming.query}" if incoming.query else ""
    return refusals.redirect(f"{incoming.path}/{query}")
