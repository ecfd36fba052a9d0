"""How a slice is opened: as the policy wants it read."""

from shared.core.intervals import Interval
from shared.core.model import Policy, Slice


def open_slice(bounds: Interval, *, pass_name: str, policy: Policy) -> Slice:
    """Return a slice over `bounds` on which nothing has been done yet."""
    return Slice.fresh(bounds, pass_name=pass_name, direction=policy.direction, limit=policy.limit)
