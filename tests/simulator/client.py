"""A plain client of the simulator for the tests."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import requests

from simulator import Fault, Identity, Simulator, Switches, Tenant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# A whole second; the tenants of these tests have activities around it.
T0 = 1_700_000_000_000
NOW = T0 + 3_600_000
LIST = "/api/v1/activities/"


class Client:
    """Requests pages from one simulator."""

    def __init__(self, api: Simulator) -> None:
        self.api = api

    def post(self, body: object, *, path: str = LIST, **options: Any) -> requests.Response:
        """Post JSON with a valid token."""
        options.setdefault("headers", self.api.credentials.header)
        return requests.post(f"{self.api.url}{path}", json=body, timeout=9, **options)

    def get(self, path: str = LIST, **options: Any) -> requests.Response:
        """Get with a valid token."""
        options.setdefault("headers", self.api.credentials.header)
        return requests.get(f"{self.api.url}{path}", timeout=9, **options)

    def page(self, filters: object = None, **parameters: object) -> dict[str, Any]:
        """Return one page of an ascending scan, unless the parameters say otherwise."""
        body = {"filters": filters or {}, "isScan": True, "sortDirection": "asc", **parameters}
        answer: dict[str, Any] = self.post(body).json()
        return answer

    def pages(self, filters: object = None, **parameters: object) -> list[dict[str, Any]]:
        """Follow the continuation to the end, and return all pages."""
        pages = [self.page(filters, **parameters)]
        while pages[-1]["hasNext"]:
            pages.append(self.page(pages[-1]["nextQueryFilters"], **parameters))
        return pages

    def times(self, filters: object = None, **parameters: object) -> list[int]:
        """Return the timestamps of one page."""
        return times(self.page(filters, **parameters))


def times(page: dict[str, Any]) -> list[int]:
    """Return the timestamps of a page's records."""
    return [record["timestamp"] for record in page["data"]]


def identities(pages: Iterable[dict[str, Any]]) -> list[Identity]:
    """Return the identity of every record of some pages."""
    return [
        Identity(record["_id"], record["timestamp"], record["created"])
        for page in pages
        for record in page["data"]
    ]


@contextmanager
def serving(
    activities: Tenant | Iterable[int],
    *,
    faults: Iterable[Fault] = (),
    now_ms: int = NOW,
    **switches: Any,
) -> Iterator[Client]:
    """Serve a tenant, or activities at these times, with no throttle and an exact total.

    Args:
        activities: The tenant, or the timestamps of its activities.
        faults: The script of faults.
        now_ms: The time on the simulator's clock.
        switches: Further switches.

    """
    tenant = activities if isinstance(activities, Tenant) else Tenant.of(activities)
    chosen = {"throttle_per_minute": None, "total": "exact", **switches}
    with Simulator(
        tenant, switches=Switches(**chosen), faults=faults, clock=lambda: now_ms
    ) as simulator:
        yield Client(simulator)
