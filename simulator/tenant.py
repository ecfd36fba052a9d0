"""The tenant: all its activities, the truth with which a collector's result is compared."""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from simulator import chance
from simulator.index import Index
from simulator.lateness import Lateness
from simulator.records import Seedling, forge, omitted
from simulator.searching import Search, search, visible_from

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from simulator.searching import Found

# The number of filters whose results are cached. A collector uses one, a test a few.
_VERDICTS_MAX = 8

# The number of records that are kept: sweeps, repeated pages and checks ask for them again.
_RECORDS_MAX = 4096


class Identity(NamedTuple):
    """The identity of an activity: `_id`, `timestamp` and `created` (epoch ms)."""

    id: str
    timestamp: int
    created: int


class Arrival(NamedTuple):
    """An identity, and when the API first shows it (epoch ms)."""

    identity: Identity
    visible_from: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """An activity with explicit properties.

    Attributes:
        timestamp: When it happened (epoch ms).
        created: When it was saved (epoch ms); None draws an ordinary lag.
        id: Its `_id`; None derives one. Two activities may share one if their other fields differ.
        omit: Top-level fields that its record lacks, such as `("timestamp", "timestampRaw")`. The
            tenant still sorts it by its true times, and `truth()` names them.
        size: The size of its record in bytes, such as 150_000 for one with huge raw data.
        raw: The exact bytes to serve instead of a generated record (they may be no JSON at all).

    """

    timestamp: int
    created: int | None = None
    id: str | None = None
    omit: tuple[str, ...] = ()
    size: int | None = None
    raw: bytes | None = None


Plan: TypeAlias = "Planned | tuple[int, int] | int"


class Tenant:
    """Every activity that the simulated tenant ever had. Safe to use from several threads.

    Build one with `Tenant.generate` or `Tenant.of`; an empty one is `Tenant()`.
    """

    def __init__(self, *, seed: int = 0, record_size: int | None = None) -> None:
        self.seed = seed
        self._forge = forge(seed, record_size)
        self._index = Index()
        self._plans: dict[int, Planned] = {}
        self._rows_by_id: dict[str, int] = {}
        self._rows_named = 0
        self._verdicts: OrderedDict[str, bytearray] = OrderedDict()
        self._lock = RLock()
        self._identities: list[Identity] = []
        self._made: dict[int, bytes] = {}

    @classmethod
    def generate(  # noqa: PLR0913 - every one is a property of the history
        cls,
        *,
        seed: int,
        count: int,
        until_ms: int,
        per_second: float = 1.0,
        lateness: Lateness | None = None,
        record_size: int | None = None,
    ) -> Tenant:
        """Build a tenant with a random history that is the same for the same arguments.

        Args:
            seed: Decides everything that the other arguments do not.
            count: The number of activities.
            until_ms: The end of the history (epoch ms): no activity happens later, but some are
                saved later.
            per_second: The average number of activities per second (with exponential gaps).
            lateness: How long after its event an activity is saved; the default is 170 to 340 s.
            record_size: The size of a record in bytes; None is a natural mixture of 3 to 6 KB.

        """
        tenant = cls(seed=seed, record_size=record_size)
        lateness = lateness or Lateness()
        timestamps = tenant._history(count, per_second, until_ms)
        created = [moment + lateness.lag_ms(seed, row) for row, moment in enumerate(timestamps)]
        tenant._index.extend(timestamps, created)
        return tenant

    @classmethod
    def of(
        cls, activities: Iterable[Plan], *, seed: int = 0, record_size: int | None = None
    ) -> Tenant:
        """Build a tenant of these activities: `timestamp`, `(timestamp, created)` or `Planned`.

        A bare timestamp is created 170 to 340 s later, and a simulator shows it only from then on.
        """
        tenant = cls(seed=seed, record_size=record_size)
        tenant.add(*activities)
        return tenant

    def __len__(self) -> int:
        """Return the number of activities."""
        return len(self._index)

    def add(self, *activities: Plan) -> list[Identity]:
        """Add activities, such as late arrivals, and return their identities in the order given."""
        with self._lock:
            first_row = len(self._index)
            plans = [
                self._settled(plan, row) for row, plan in enumerate(activities, start=first_row)
            ]
            self._index.extend(
                [plan.timestamp for plan in plans], [plan.created or 0 for plan in plans]
            )
            for row, plan in enumerate(plans, start=first_row):
                if plan != Planned(timestamp=plan.timestamp, created=plan.created):
                    self._plans[row] = plan
            return self._all_identities()[first_row:]

    def truth(self, *, visible_at_ms: int | None = None) -> list[Identity]:
        """Return the identity of every activity, each once, sorted as tuples.

        Args:
            visible_at_ms: Only those that were saved by then (epoch ms); None returns all.

        """
        with self._lock:
            return sorted(
                {
                    it
                    for it in self._all_identities()
                    if visible_at_ms is None or it.created <= visible_at_ms
                }
            )

    def arrivals(self, *, jitter_ms: int = 0) -> list[Arrival]:
        """Return every identity and when it became visible, in the order of `truth()`.

        This assumes that the API hides activities until they are saved (`hide_until_created`). An
        activity that is added to a running simulator after its time of saving is in fact shown only
        from then on, which the tenant cannot know, since it has no clock.

        Args:
            jitter_ms: The switch `visibility_jitter_ms` of the API.

        """
        with self._lock:
            found: dict[Identity, int] = {}
            for row, identity in enumerate(self._all_identities()):
                at = visible_from(identity.created, row, jitter_ms)
                found[identity] = min(at, found.get(identity, at))
            return [Arrival(identity, found[identity]) for identity in sorted(found)]

    def record(self, identity: Identity) -> bytes:
        """Return the exact bytes of a record as the API serves it (unless it pretty-prints).

        Raises:
            KeyError: No activity has this identity.

        """
        return self.records(identity)[0]

    def records(self, identity: Identity) -> list[bytes]:
        """Return the bytes of all records that share one identity, oldest first.

        Raises:
            KeyError: No activity has this identity.

        """
        with self._lock:
            moment = ((identity.timestamp, identity.timestamp),)
            rows = self._index.by_date.walk(moment, descending=False)
            identities = self._all_identities()
            found = [self.bytes_of(row) for row in rows if identities[row] == identity]
        if not found:
            message = f"The tenant holds no activity {identity}; truth() lists those that it holds."
            raise KeyError(message)
        return found

    def bytes_of(self, row: int) -> bytes:
        """Return the record of a row that `search` found."""
        made = self._made.get(row)
        if made is not None:
            return made
        if len(self._made) >= _RECORDS_MAX:
            self._made.clear()
        plan = self._plans.get(row)
        raw = None if plan is None else plan.raw
        return self._made.setdefault(
            row, self._forge.record(self._seedling(row)) if raw is None else raw
        )

    def times_of(self, row: int) -> tuple[int, int]:
        """Return the `timestamp` and the `created` of a row that `search` found."""
        return self._index.timestamps[row], self._index.created[row]

    def row_of(self, activity_id: str) -> int | None:
        """Return the row of the first activity with this `_id`, or None."""
        with self._lock:
            for row, identity in enumerate(self._all_identities()[self._rows_named :]):
                self._rows_by_id.setdefault(identity.id, self._rows_named + row)
            self._rows_named = len(self._index)
            return self._rows_by_id.get(activity_id)

    def search(self, wanted: Search) -> Found:
        """Return the rows of a query's page, and the number of all matches."""
        with self._lock:
            verdicts = self._verdicts_of(wanted.residual_key) if wanted.residual_key else None
            return search(self._index, wanted, verdicts, self.content_of)

    def _history(self, count: int, per_second: float, until_ms: int) -> list[int]:
        moment = float(until_ms)
        moments = []
        for row in range(count):
            whole_second = self._forge.is_whole_second(row)
            exact = math.floor(moment)
            moments.append(exact // 1000 * 1000 if whole_second else exact)
            gap = -math.log(1.0 - chance.unit(self.seed, "gap", row)) / per_second
            moment -= gap * 1000
        return moments

    def _settled(self, plan: Plan, row: int) -> Planned:
        if isinstance(plan, int):
            plan = Planned(timestamp=plan)
        elif isinstance(plan, tuple):
            plan = Planned(timestamp=plan[0], created=plan[1])
        created = plan.created
        if created is None:
            created = plan.timestamp + Lateness().lag_ms(self.seed, row)
        return Planned(
            timestamp=plan.timestamp,
            created=created,
            id=plan.id,
            omit=omitted(plan.omit),
            size=plan.size,
            raw=plan.raw,
        )

    def _seedling(self, row: int) -> Seedling:
        timestamp, created = self.times_of(row)
        plan = self._plans.get(row)
        if plan is None:
            return Seedling(row, timestamp, created)
        return Seedling(row, timestamp, created, plan.omit, plan.size, plan.id)

    def _all_identities(self) -> list[Identity]:
        """Return the identity of each row; rows never change, so each is made once."""
        for row in range(len(self._identities), len(self._index)):
            name = self._forge.identify(self._seedling(row))
            self._identities.append(Identity(name, *self.times_of(row)))
        return self._identities

    def content_of(self, row: int) -> dict[str, Any]:
        """Return a record as a client would parse it, for filters on its content."""
        try:
            parsed = json.loads(self.bytes_of(row))
        except ValueError:
            return {}
        return parsed if isinstance(parsed, dict) else {}

    def _verdicts_of(self, key: str) -> bytearray:
        verdicts = self._verdicts.setdefault(key, bytearray())
        self._verdicts.move_to_end(key)
        if len(self._verdicts) > _VERDICTS_MAX:
            self._verdicts.popitem(last=False)
        verdicts.extend(bytes(len(self._index) - len(verdicts)))
        return verdicts


def arrivals_as_lines(arrivals: Sequence[Arrival]) -> str:
    """Write arrivals as JSON lines: the identity by the record's own names, and `visible_from`."""
    return "".join(
        json.dumps(
            {
                "_id": identity.id,
                "timestamp": identity.timestamp,
                "created": identity.created,
                "visible_from": visible_from_ms,
            }
        )
        + "\n"
        for identity, visible_from_ms in arrivals
    )
