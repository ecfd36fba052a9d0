"""How a scan is to be done: what the settings become."""

from dataclasses import dataclass
from typing import Any, Literal

from shared.core.model.scale import Axis, Direction

SweepBy = Literal["full", "created"]
"""What a sweep asks for: everything, or only what was ingested since the look before."""


FIRST_PASS = "first"  # noqa: S105 - a pass over time, no password


LIMIT_MIN = 500
"""The smallest page that scan mode serves (the API's documentation of `limit`)."""


LIMIT_MAX = 5_000
"""The largest page that scan mode serves (the API's documentation of `limit`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How one scan is to be done; durations in milliseconds (`docs/settings.md`).

    Attributes:
        scan: its name.
        filters: the user's filters, without the axis.
        fingerprint: identifies filters and sort field.
        accept: fingerprint of a change that the operator accepts, if any.
        axis: the sort field.
        direction: of new slices.
        limit: of new slices.
        api: host of the API, to notice a changed tenant.
        budget: wall time of one run. Scans of one API host run one after the other, and each has
            at least its share.
        budget_most: the same with all the time that the other scans of its API host may leave.
        budget_expected: what of that time a run can expect, so that its capacity is known: all, or
            what the other scans left if the scan ran out of time.
        lookback: how far back the first run begins.
        settle: how old time must be before it is first scanned.
        fresh: time younger than this is cut in `slice_length`, older time in hours.
        slice_length: of fresh slices; divides an hour.
        sweeps: ages of the later looks, ascending, with their pass names.
        sweep_by: `full` looks ask for everything; `created` asks only for what was ingested since
            the look before, but for the oldest sweep.
        reach: how far back the API answers.
        concurrency: slices in work at once.
        requests_per_minute: the most that this scan may send of the tenant's budget.
        lag_alert: a longer lag needs a person.
        doubt_alert: more new doubt than this needs a person; may be 0.
        throttled_alert: a person is needed if more than this percentage of the runs is throttled.
        pause_alert: a longer pause needs a person.
    """

    scan: str
    filters: dict[str, Any]
    fingerprint: str
    accept: str | None
    axis: Axis
    direction: Direction
    limit: int
    api: str
    budget: int
    budget_most: int
    budget_expected: int
    lookback: int
    settle: int
    fresh: int
    slice_length: int
    sweeps: tuple[tuple[str, int], ...]
    sweep_by: SweepBy
    reach: int
    concurrency: int
    requests_per_minute: int
    lag_alert: int
    doubt_alert: int
    throttled_alert: int
    pause_alert: int
