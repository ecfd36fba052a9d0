"""An examination of the simulated API: question, answer, next question."""

from collections.abc import Callable
from functools import cache
from typing import Any

from shared.core.audit.doctor.looking import look
from shared.core.audit.doctor.probing import Probing, noted
from shared.core.audit.doctor.questions import next_question
from shared.core.model import Answer, NoAnswer, Policy, Request
from simulator import Lateness, Switches, Tenant
from tests.fakes import DAY, NOW, FakeClock, policy
from tests.simulated import SimulatedApi

PER_HOUR = 1.0
"""A quiet tenant, so that an examination is cheap; the pages of these tests are small, too."""

PAGE = 20

SPREAD = Lateness(usual_ms=(60_000, 8 * 3_600_000))
"""So late that quiet activities are saved in another order than they happen in."""

Ask = Callable[[Request], Answer | NoAnswer]


@cache
def tenant(
    lateness: Lateness | None = None, *, per_hour: float = PER_HOUR, days: int = 34, seed: int = 7
) -> Tenant:
    """Return a tenant with activities from before the reach until an hour ago."""
    return Tenant.generate(
        seed=seed,
        count=round(per_hour * 24 * days),
        per_second=per_hour / 3600,
        until_ms=NOW - 3_600_000,
        lateness=lateness or SPREAD,
        record_size=1,
    )


@cache
def examined(
    *, of: Tenant | None = None, how: Policy | None = None, page_cap: int = PAGE, **switches: Any
) -> Probing:
    """Return an examination of the API with these switches, to its end; the same for the same."""
    clock = FakeClock(NOW)
    api = SimulatedApi(of or tenant(), clock, Switches(page_cap=page_cap, **switches))
    return probed(lambda request: api.ask(request, timeout=60.0), clock, how)


def probed(ask: Ask, clock: FakeClock, how: Policy | None = None) -> Probing:
    """Return an examination of whatever answers, to its end."""
    probing = Probing(now=clock.now(), policy=how or policy(reach=30 * DAY))
    while (asked := next_question(probing)) is not None:
        sent = clock.elapsed()
        answer = ask(asked.request)
        seen = look(asked, answer, milliseconds=clock.elapsed() - sent, now=clock.now())
        probing = noted(probing, seen)
    return probing
