"""Simulates the Activities API on loopback: its documented behaviour, and its bugs as switches.

The simulator is an independent implementation of the API: it shares no code with the collector, so
that the two can disagree. It knows every activity that it ever created, so a result can be compared
with the truth.

    # Activities are saved, and so shown, up to 340 s after they happened.
    tenant = Tenant.generate(seed=7, count=10_000, per_second=2, until_ms=now_ms - 400_000)
    with Simulator(tenant, switches=Switches(page_cap=500), clock=lambda: now_ms) as api:
        collected = collect(f"{api.url}/api/v1/activities/", headers=api.credentials.header)
        assert sorted(collected) == tenant.truth()

Modules:

- The activities: `tenant` holds them; `records`, `templates`, `shapes` and `people` make their
  records; `lateness` delays them; `index`, `searching` and `spans` find them.
- What the API does: `queries`, `filters`, `fields` and `operators` read a request; `paging` makes a
  page, `answers` writes it; `archive` is the endpoint for older activities.
- Variations and bugs: `switches`, `moods` (what a scan refuses or ignores), `phases`, `faults`;
  `likeness` chooses them from a transcript of a real API.
- Access: `credentials`, `tokens`, `identity`, `throttling`, `refusals`.
- HTTP: `listening`, `server`. `chance` makes everything random repeatable.
"""

from simulator.credentials import Credentials
from simulator.faults import FOREVER, Fault
from simulator.identity import IdentityEndpoint, TokenAuthority
from simulator.lateness import Lateness
from simulator.listening import TlsFiles
from simulator.phases import Phase
from simulator.server import Received, Simulator
from simulator.switches import Switches
from simulator.tenant import Arrival, Identity, Planned, Tenant

__all__ = [
    "FOREVER",
    "Arrival",
    "Credentials",
    "Fault",
    "Identity",
    "IdentityEndpoint",
    "Lateness",
    "Phase",
    "Planned",
    "Received",
    "Simulator",
    "Switches",
    "Tenant",
    "TlsFiles",
    "TokenAuthority",
]
