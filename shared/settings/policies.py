"""One policy per scan, made from the settings that say what is asked and how a run goes."""

import json
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from shared.access import ApiSettings
from shared.core.model import Policy
from shared.settings import table
from shared.settings.elements import Element, list_of
from shared.settings.parsers import BUDGET_LEAST_MS
from shared.settings.reader import Reader


def policies(
    reader: Reader, elements: Sequence[Element], apis: Sequence[ApiSettings]
) -> tuple[Policy, ...]:
    """Return one policy per scan.

    Args:
        reader: of all settings.
        elements: the scans.
        apis: how each of them reaches the API.
    """
    budget, listed = reader.value(table.SCAN_TIME_BUDGET), list_of(reader).name
    most = reader.value(table.SCAN_REQUESTS_PER_MINUTE)
    hosts = Counter(api.host for api in apis)
    divided = _dividing_time(reader, [api.host for api in apis])
    count = max(divided)
    if budget // count < BUDGET_LEAST_MS:
        seconds = budget // 1000
        which = "scans" if count == len(elements) else "scans of one API host"
        reader.problem(listed, f"has {count} {which} for {seconds} s of time: each needs 5 s")
    found = tuple(
        _policy(
            element.reader,
            urlsplit(api.url).hostname or "",
            budget // together,
            budget * hosts[api.host] // together,
            most if hosts[api.host] > 1 else None,
        )
        for element, api, together in zip(elements, apis, divided, strict=True)
    )
    names = [policy.scan for policy in found]
    if len(set(names)) < len(names):
        reader.problem(listed, f"names a scan twice ({', '.join(names)}): each needs its own name")
    return found


def _dividing_time(reader: Reader, hosts: Sequence[str]) -> list[int]:
    """Return for each scan, by its API host, how many scans divide the time of an invocation.

    An invocation runs all scans, or those of one host if the timer hands them to workers.
    """
    if not reader.value(table.SCAN_FAN_OUT):
        return [len(hosts)] * len(hosts)
    counts = Counter(hosts)
    return [counts[it] for it in hosts]


def _policy(
    reader: Reader, host: str, budget: int, budget_most: int, per_minute: int | None
) -> Policy:
    """Return a scan's policy.

    Args:
        reader: of the scan's settings.
        host: of the API.
        budget: the scan's share of the time budget, in ms.
        budget_most: what all scans of this host have of it together, in ms.
        per_minute: what all of them may send together; None if there is only this one.
    """
    axis, filters = reader.value(table.SCAN_SORT_FIELD), reader.value(table.SCAN_FILTERS)
    own = reader.value(table.SCAN_REQUESTS_PER_MINUTE)
    policy = Policy(
        scan=reader.value(table.SCAN_NAME),
        filters=filters,
        fingerprint=fingerprint(filters, axis),
        accept=reader.text(table.SCAN_ACCEPT_FILTERS),
        axis=axis,
        direction=reader.value(table.SCAN_SORT_DIRECTION),
        limit=reader.value(table.SCAN_LIMIT),
        api=host,
        budget=budget,
        budget_most=budget_most,
        budget_expected=budget_most,
        lookback=reader.value(table.SCAN_LOOKBACK),
        settle=reader.value(table.SCAN_SETTLE),
        fresh=reader.value(table.SCAN_FRESH),
        slice_length=reader.value(table.SCAN_SLICE),
        sweeps=reader.value(table.SCAN_SWEEPS),
        sweep_by=reader.value(table.SCAN_SWEEP_BY),
        reach=reader.value(table.SCAN_REACH),
        concurrency=reader.value(table.SCAN_CONCURRENCY),
        requests_per_minute=min(own, per_minute or own),
        lag_alert=reader.value(table.SCAN_LAG_ALERT),
        doubt_alert=reader.value(table.SCAN_DOUBT_ALERT),
        throttled_alert=reader.value(table.SCAN_THROTTLED_ALERT),
        pause_alert=reader.value(table.SCAN_PAUSE_ALERT),
    )
    _check_filters(reader, policy)
    _check_durations(reader, policy)
    return policy


def _check_filters(reader: Reader, policy: Policy) -> None:
    """Refuse a filter on the axis."""
    if policy.axis in policy.filters:
        reader.problem(
            "SCAN_FILTERS",
            f"filters on {policy.axis}, the field by which the scan itself cuts time: remove the "
            "filter; SCAN_LOOKBACK sets where the scan begins and SCAN_SETTLE where it ends",
        )


def _check_durations(reader: Reader, policy: Policy) -> None:
    """Refuse durations that contradict each other."""
    if policy.fresh < policy.settle:
        reader.problem("SCAN_FRESH", "is shorter than SCAN_SETTLE: nothing would ever be fresh")
    if policy.lookback >= policy.reach:
        reader.problem(
            "SCAN_LOOKBACK", "is not shorter than SCAN_REACH: the API no longer shows that time"
        )
    if policy.settle >= policy.reach:
        reader.problem("SCAN_SETTLE", "is not shorter than SCAN_REACH: nothing could be scanned")
    if policy.sweeps and policy.sweeps[0][1] <= policy.settle:
        reader.problem(
            "SCAN_SWEEPS",
            "has an age of at most SCAN_SETTLE: a sweep must come after the first pass",
        )
    if policy.sweeps and policy.sweeps[-1][1] >= policy.reach:
        reader.problem(
            "SCAN_SWEEPS", "has an age of SCAN_REACH or more: the API no longer shows that time"
        )


def fingerprint(filters: dict[str, Any], axis: str) -> str:
    """Return 16 hex digits that identify filters and sort field, whatever the keys' order."""
    scope = json.dumps({"filters": filters, "sortField": axis}, sort_keys=True)
    return sha256(scope.encode()).hexdigest()[:16]
