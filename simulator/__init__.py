"""The Activities API on loopback, with its documented semantics and its bugs as switches.

The simulator is a reading of the API of its own: it shares nothing with the collector, so that it
can disagree with it. It knows every activity that it ever created, which is the truth that a result
is compared with.

    # The last activities are saved up to 340 s after the history's end, and not shown before.
    tenant = Tenant.generate(seed=7, count=10_000, per_second=2, until_ms=now_ms - 400_000)
    with Simulator(tenant, switches=Switches(page_cap=500), clock=lambda: now_ms) as api:
        collected = collect(f"{api.url}/api/v1/activities/", headers=api.credentials.header)
        assert sorted(collected) == tenant.truth()

Map: `tenant` (the truth) over `records`, `templates`, `shapes`, `people` (what records look like)
and `index`, `searching` (finding them); `queries`, `filters`, `paging`, `answers` (the API's
semantics); `switches`, `phases`, `faults` (its variations and bugs); `credentials`, `tokens`,
`identity` (who may call); `listening`, `server` (HTTP).
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
