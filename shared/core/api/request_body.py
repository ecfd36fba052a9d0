"""The body of a request to the Activities API: the one place that writes it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from shared.core.model import Request


def scan_request(
    filters: Mapping[str, Any], continuation: str | None, parameters: Mapping[str, int | str]
) -> Request:
    """Return a request in scan mode.

    Args:
        filters: sent while there is no continuation.
        continuation: the last page's `nextQueryFilters`, sent back byte for byte.
        parameters: limit and order.
    """
    asked = filters if continuation is None else msgspec.Raw(continuation.encode())
    return Request(body=msgspec.json.encode({"filters": asked, "isScan": True, **parameters}))
